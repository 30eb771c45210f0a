"""The consumer of batches: what may be committed, and what is committed after a flow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st
from support.encoders import HashEncoder
from support.patience import PATIENCE_S
from support.runs import quick_settings, run_flow
from support.servers.brokers import Broker
from support.shoppers import arriving, encoded, random_lines
from support.stores import BlockingStore

from features.online import open_online_store
from streams.broker.connection import connection
from streams.broker.publisher import Publisher, Sent, Written
from streams.broker.topics.log_ends import high_watermarks
from streams.cli.replay import LEAD_RECORDS, feed
from streams.contract import CLICKS, EVENTS, SCORES, changelog_name, topic_name
from streams.operating.drain import Drain
from streams.records.outgoing import Outgoing
from streams.settings import Settings
from streams.worker.consuming.ledger import Ledger
from streams.worker.flow import Flow
from streams.worker.stages import stores


def record(offset: int) -> ConsumerRecord[bytes, bytes]:
    return ConsumerRecord("t", 0, offset, 1000 + offset, 0, b"k", b"v", None, 1, 1, ())


def records(offsets: Sequence[int]) -> list[ConsumerRecord[bytes, bytes]]:
    return [record(offset) for offset in offsets]


@st.composite
def logs(draw: st.DrawFn) -> list[list[int]]:
    """Batches of growing offsets, with gaps inside and between them."""
    batches, offset = [], draw(st.integers(0, 5))
    for _ in range(draw(st.integers(1, 8))):
        batch = []
        for _ in range(draw(st.integers(1, 4))):
            batch.append(offset)
            offset += draw(st.integers(1, 3))
        batches.append(batch)
    return batches


@given(logs(), st.data())
def test_in_whatever_order_batches_are_acknowledged_no_commit_passes_one_that_is_not(
    batches: list[list[int]], data: st.DataObject
) -> None:
    ledger = Ledger()
    delivered: list[list[int]] = []
    acknowledged: set[int] = set()
    while len(acknowledged) < len(batches):
        unacknowledged = [batch[-1] for batch in delivered if batch[-1] not in acknowledged]
        may_deliver = len(delivered) < len(batches)
        if may_deliver and (not unacknowledged or data.draw(st.booleans(), "deliver")):
            batch = batches[len(delivered)]
            assert ledger.deliver(records(batch)) == records(batch)
            delivered.append(batch)
        else:
            last = data.draw(st.sampled_from(unacknowledged), "acknowledge")
            ledger.acknowledge(last)
            acknowledged.add(last)
        done = 0
        while done < len(delivered) and delivered[done][-1] in acknowledged:
            done += 1
        assert ledger.committable == (delivered[done - 1][-1] + 1 if done else None)
        assert ledger.pending == sum(map(len, delivered[done:]))
        assert ledger.delivered == (delivered[-1][-1] if delivered else -1)
    assert ledger.pending == 0
    assert ledger.committable == batches[-1][-1] + 1


@given(logs(), st.integers(0, 40))
def test_records_delivered_again_are_left_out(batches: list[list[int]], again_from: int) -> None:
    ledger = Ledger()
    for batch in batches:
        ledger.deliver(records(batch))
    known = [offset for batch in batches for offset in batch]
    pending = ledger.pending
    again = [offset for offset in known if offset >= again_from]
    if again:
        assert ledger.deliver(records(again)) == []
    assert (ledger.pending, ledger.delivered) == (pending, known[-1])
    further = [*again, known[-1] + 2, known[-1] + 3]
    assert ledger.deliver(records(further)) == records(further[-2:])
    assert ledger.pending == pending + 2


def test_an_acknowledgement_given_twice_counts_once() -> None:
    ledger = Ledger()
    ledger.deliver(records([0, 1]))
    ledger.deliver(records([2]))
    ledger.acknowledge(2)
    ledger.acknowledge(2)
    assert (ledger.committable, ledger.pending) == (None, 3)
    ledger.acknowledge(1)
    assert (ledger.committable, ledger.pending) == (3, 0)


def test_a_ledger_knows_the_time_of_the_last_record_delivered() -> None:
    ledger = Ledger()
    ledger.deliver(records([4, 7]))
    assert ledger.timestamp == 1007


async def committed(settings: Settings, topics: Sequence[str] = EVENTS) -> dict[tuple[str, int], int]:
    """Read the offsets that the broker holds of a flow's group, as any tool would."""
    consumer = AIOKafkaConsumer(
        **connection(settings), group_id=settings.topic_prefix + settings.group, enable_auto_commit=False
    )
    await consumer.start()
    try:
        found = {}
        for topic in topics:
            for number in range(settings.partitions):
                offset = await consumer.committed(TopicPartition(topic_name(settings, topic), number))
                found[topic, number] = offset or 0
        return found
    finally:
        await consumer.stop()


async def ends(settings: Settings) -> dict[tuple[str, int], int]:
    asked = {
        TopicPartition(topic_name(settings, topic), number): (topic, number)
        for topic in EVENTS
        for number in range(settings.partitions)
    }
    return {asked[tp]: end for tp, end in (await high_watermarks(settings, list(asked))).items()}


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not reached():
            await asyncio.sleep(0.01)


async def test_after_a_flow_the_committed_offsets_are_the_ends_of_the_logs(tmp_path: Path, broker: Broker) -> None:
    settings = quick_settings(tmp_path, broker=broker.url)
    run = await run_flow(settings, encoded(random_lines(seed=1, events=700, users=30)))
    assert run.summary.complete
    there = await ends(settings)
    assert sum(there.values()) == run.summary.events_in
    assert await committed(settings) == there


class HeldSent:
    """A send that is acknowledged only once the gate is open."""

    def __init__(self, sent: Sent, gate: asyncio.Event, reached: asyncio.Event) -> None:
        self._sent = sent
        self._gate = gate
        self._reached = reached

    async def acknowledged(self) -> Written:
        written = await self._sent.acknowledged()
        self._reached.set()
        await self._gate.wait()
        return written


@pytest.mark.parametrize("held", ["changelog", "score"])
async def test_nothing_is_committed_before_changelog_and_score_are_acknowledged(
    tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch, held: str
) -> None:
    settings = quick_settings(tmp_path, broker=broker.url)
    topic = changelog_name(settings) if held == "changelog" else topic_name(settings, SCORES)
    gate, reached = asyncio.Event(), asyncio.Event()
    send = Publisher.send

    async def hold(self: Publisher, name: str, partition: int, batch: Sequence[Outgoing]) -> Any:
        sent = await send(self, name, partition, batch)
        return HeldSent(sent, gate, reached) if name == topic else sent

    async with Flow(settings, encoder=HashEncoder()) as flow:
        monkeypatch.setattr(Publisher, "send", hold)
        await assert_not_committed_until(flow, reached.is_set, gate.set)


async def test_nothing_is_committed_before_its_rows_are_in_the_online_store(
    tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = quick_settings(tmp_path, broker=broker.url)
    store = BlockingStore(open_online_store(settings.online_url))
    monkeypatch.setattr(stores, "open_online_store", lambda url, **__: store)
    async with Flow(settings, encoder=HashEncoder()) as flow:
        try:
            await assert_not_committed_until(flow, store.held.is_set, store.released.set)
        finally:
            store.released.set()


async def assert_not_committed_until(flow: Flow, reached: Callable[[], bool], release: Callable[[], None]) -> None:
    """Feed a flow whose outlet is held: no offset is committed before the release, and all are after it."""
    drain = Drain(flow, LEAD_RECORDS)
    lines = [line for line in random_lines(seed=2, events=200, users=1) if line["topic"] == CLICKS]
    feeder = await feed(flow, drain, arriving(lines))
    await until(reached)
    await until(lambda: sum(ledger.pending for ledger in flow.app.consumer.ledgers.values()) == len(lines))
    for _ in range(2):
        await flow.app.consumer.commit()
    assert set((await committed(flow.settings)).values()) == {0}
    assert drain.behind(feeder.ends) > 0
    release()
    await asyncio.wait_for(drain.drained(feeder.ends), PATIENCE_S)
    await until(lambda: drain.behind(feeder.ends) == 0)
    await flow.app.consumer.commit()
    assert await committed(flow.settings) == await ends(flow.settings)


async def test_a_batch_of_an_earlier_assignment_is_not_acknowledged(tmp_path: Path, broker: Broker) -> None:
    async with Flow(quick_settings(tmp_path, broker=broker.url), encoder=HashEncoder()) as flow:
        consumer = flow.app.consumer
        generation = flow.app.consumer_generation_id
        tp = TP(topic_name(flow.settings, CLICKS), 0)
        consumer.ledgers[tp].deliver(records([0, 1, 2]))
        stale = consumer._batch_message(tp, records([0, 1, 2]), 2, generation - 1)
        assert consumer.ack(stale) is False
        assert stale.acked
        assert consumer.ledgers[tp].committable is None
        ours = consumer._batch_message(tp, records([0, 1, 2]), 2, generation)
        consumer.progressed.clear()
        assert consumer.ack(ours) is True
        assert consumer.progressed.is_set()
        assert consumer.settled_position(tp) == consumer.ledgers[tp].committable == 3
        assert consumer.ack(ours) is False, "once is enough"
        consumer.ledgers.pop(tp)


async def test_an_acknowledgement_for_a_partition_that_was_revoked_changes_nothing(
    tmp_path: Path, broker: Broker
) -> None:
    async with Flow(quick_settings(tmp_path, broker=broker.url), encoder=HashEncoder()) as flow:
        consumer = flow.app.consumer
        tp, generation = TP(topic_name(flow.settings, CLICKS), 0), flow.app.consumer_generation_id
        consumer.ledgers[tp].deliver(records([0]))
        message = consumer._batch_message(tp, records([0]), 0, generation)
        consumer.ledgers.pop(tp)
        consumer.ack(message)
        assert tp not in consumer.ledgers
        assert consumer.settled_position(tp) == 0
