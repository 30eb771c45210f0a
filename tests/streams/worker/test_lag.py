"""How far partitions are behind, and which of them are shown."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from faust.types import TP

from streams.broker.publisher import Publisher
from streams.broker.topics.log_ends import Bounds, LogEnds
from streams.broker.topics.provisioning import make_topics
from streams.contract import CLICKS, topic_name
from streams.exceptions import StateMismatchError
from streams.records.outgoing import Outgoing
from streams.settings import load_settings
from streams.telemetry.metrics import Metrics
from streams.worker.consuming.ledger import Ledger
from streams.worker.lag import Behind, LagGauges, behind, check_ends, deliveries, show_only

HERE, THERE = TP("p-clicks", 0), TP("p-clicks", 1)
NOW = 2_000.0


def records(*offsets: int) -> list[ConsumerRecord]:
    return [ConsumerRecord("t", 0, offset, 1_000_000, 0, b"k", b"v", None, 1, 1, ()) for offset in offsets]


@pytest.mark.parametrize(
    ("bounds", "settled", "expected"),
    [
        pytest.param(Bounds(0, 10, 10), 4, Behind(6, 4), id="records wait"),
        pytest.param(Bounds(0, 10, 10), 10, Behind(0, 10), id="nothing waits"),
        pytest.param(Bounds(5, 5, 5), 0, Behind(0, 5), id="all that was never read is deleted"),
        pytest.param(Bounds(5, 8, 8), 2, Behind(3, 5), id="some of it is"),
        pytest.param(Bounds(0, 10, 6), 6, Behind(0, 6), id="a transaction is open"),
        pytest.param(Bounds(0, 10, 6), 4, Behind(2, 4), id="some records before it wait"),
    ],
)
def test_what_is_deleted_or_held_back_by_a_transaction_is_not_waited_for(
    bounds: Bounds, settled: int, expected: Behind
) -> None:
    assert behind(bounds, settled) == expected


def test_a_log_that_ends_before_what_was_reached_is_another() -> None:
    check_ends({HERE: 10}, {HERE: Bounds(0, 10, 10)})
    check_ends({HERE: 10}, {})
    with pytest.raises(
        StateMismatchError, match=r"p-clicks-0 ends at offset 9, but 10 was reached: the topic was made"
    ):
        check_ends({HERE: 10}, {HERE: Bounds(0, 9, 9)})


# --- the ledger ----------------------------------------------------------------------------------------------------


def test_markers_at_the_end_of_a_partition_are_passed_and_committed() -> None:
    ledger = Ledger()
    ledger.reach(0)
    assert (ledger.settled, ledger.committable) == (0, None), "there is nothing to commit yet"
    ledger.deliver(records(0, 1, 2))
    ledger.reach(4)
    assert ledger.settled == 0, "what is delivered and not acknowledged is not settled, nor what lies behind it"
    ledger.acknowledge(2)
    assert (ledger.settled, ledger.committable) == (4, 4)


def test_markers_read_after_the_records_are_passed_too() -> None:
    ledger = Ledger()
    ledger.deliver(records(0, 1))
    ledger.reach(2)
    ledger.acknowledge(1)
    assert ledger.committable == 2
    ledger.reach(3)
    assert ledger.committable == 3
    ledger.deliver(records(7))
    ledger.reach(8)
    assert ledger.committable == 3


def test_records_that_are_gone_before_they_were_read_are_settled() -> None:
    ledger = Ledger()
    ledger.reach(5)
    assert (ledger.settled, ledger.committable) == (5, None)


def test_a_partition_that_is_read_again_is_settled_only_as_it_is_acknowledged() -> None:
    ledger = Ledger()
    ledger.reach(40)
    ledger.deliver(records(0, 1))
    ledger.reach(2)
    assert ledger.settled == 0
    ledger.acknowledge(1)
    assert ledger.settled == 2


# --- the gauges ----------------------------------------------------------------------------------------------------


class Consumer:
    """Has delivered from some partitions."""

    def __init__(self, delivered: Iterable[TP] = ()) -> None:
        self.ledgers = {tp: Ledger() for tp in delivered}
        for ledger in self.ledgers.values():
            ledger.deliver(records(0))


class Logs:
    """Says when records were written, and counts how often it was asked."""

    def __init__(self, written_ms: int | None) -> None:
        self._written_ms = written_ms
        self.asked: list[tuple[TopicPartition, int]] = []

    async def written_at(self, tp: TopicPartition, offset: int) -> int | None:
        self.asked.append((tp, offset))
        return self._written_ms


def shown(metrics: Metrics) -> dict[str, dict[str, float]]:
    """The lag gauges by partition."""
    return {
        name: {
            sample.labels["partition"]: sample.value
            for family in gauge.collect()
            for sample in family.samples
            if sample.labels["topic"] == "clicks"
        }
        for name, gauge in (("messages", metrics.lag_messages), ("seconds", metrics.lag_seconds))
    }


TOPICS = {"p-clicks": "clicks"}


async def test_partitions_that_left_are_not_shown_any_more() -> None:
    metrics = Metrics()
    gauges = LagGauges(metrics, lambda: NOW)
    await gauges.show(
        TOPICS, {HERE: Behind(3, 1), THERE: Behind(0, 1)}, deliveries(Consumer([HERE, THERE])), Logs(None)
    )
    assert shown(metrics) == {"messages": {"0": 3, "1": 0}, "seconds": {"0": 1000, "1": 0}}
    await gauges.show(TOPICS, {THERE: Behind(2, 1)}, deliveries(Consumer([THERE])), Logs(None))
    assert shown(metrics) == {"messages": {"1": 2}, "seconds": {"1": 1000}}


async def test_nothing_is_shown_while_nothing_is_known() -> None:
    metrics = Metrics()
    gauges = LagGauges(metrics, lambda: NOW)
    await gauges.show(TOPICS, {HERE: Behind(0, 1)}, deliveries(Consumer([HERE])), Logs(None))
    gauges.clear()
    assert shown(metrics) == {"messages": {}, "seconds": {}}


async def test_before_the_first_delivery_the_age_is_that_of_the_first_record_that_waits() -> None:
    metrics, logs = Metrics(), Logs(500_000)
    gauges = LagGauges(metrics, lambda: NOW)
    for _ in range(3):
        await gauges.show(TOPICS, {HERE: Behind(3, 1)}, deliveries(Consumer()), logs)
        assert shown(metrics) == {"messages": {"0": 3}, "seconds": {"0": 1500}}
    assert logs.asked == [(TopicPartition("p-clicks", 0), 1)], "the broker is asked once for each offset"
    await gauges.show(TOPICS, {HERE: Behind(2, 2)}, deliveries(Consumer()), logs)
    assert len(logs.asked) == 2


async def test_an_age_that_nobody_knows_is_not_shown_as_none() -> None:
    metrics = Metrics()
    await LagGauges(metrics, lambda: NOW).show(TOPICS, {HERE: Behind(3, 1)}, deliveries(Consumer()), Logs(None))
    assert shown(metrics) == {"messages": {"0": 3}, "seconds": {}}


def test_a_gauge_shows_only_what_it_is_told() -> None:
    metrics = Metrics()
    show_only(metrics.table_bytes, [(("users", "0"), 10), (("users", "1"), 20)])
    show_only(metrics.table_bytes, [(("users", "1"), 30)])
    assert [(sample.labels, sample.value) for family in metrics.table_bytes.collect() for sample in family.samples] == [
        ({"stage": "users", "partition": "1"}, 30)
    ]


async def test_the_broker_tells_when_a_record_was_written(kafka) -> None:
    settings = load_settings(broker=kafka.url, topic_prefix="written-", partitions=1)
    await make_topics(settings)
    tp = TopicPartition(topic_name(settings, CLICKS), 0)
    publisher = Publisher(settings)
    await publisher.start()
    for _ in range(2):
        sent = await publisher.send(tp.topic, 0, [Outgoing(b"k", b"v"), Outgoing(b"k", b"w")])
        await sent.acknowledged()
    await publisher.stop()
    async with LogEnds(settings) as logs:
        await logs.bounds([tp])
        first, third = await logs.written_at(tp, 0), await logs.written_at(tp, 2)
        assert first is not None
        assert third is not None
        assert first <= third
        assert await logs.written_at(tp, 4) is None
