"""What a monitor takes for a stall, what it does not, and what it shows."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import orjson
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.errors import KafkaError
from numpy.typing import NDArray
from support.encoders import HashEncoder, SwitchableEncoder
from support.patience import PATIENCE_S
from support.runs import quick_settings
from support.shoppers import BASE
from support.stores import BlockingStore

from streams.broker.embedded import EmbeddedBroker
from streams.broker.topics.provisioning import make_topics
from streams.exceptions import MissingLogError
from streams.records.ndjson import partition_of
from streams.settings import Settings
from streams.worker import flow as flow_module
from streams.worker import monitor as monitor_module
from streams.worker.flow import Flow
from streams.worker.lifecycle.awaited import Awaited
from streams.worker.monitor import Monitor, StalledError
from streams.worker.stages import stores

STALL_S = 120.0


class Clock:
    """Stands still until it is set on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def watched(settings: Settings, encoder: HashEncoder, clock: Clock) -> AsyncIterator[tuple[Flow, Monitor]]:
    """A running flow and its monitor, which looks when it is told to."""
    async with Flow(settings, encoder=encoder) as flow:
        monitor = Monitor(flow, STALL_S, clock)
        try:
            yield flow, monitor
        finally:
            await monitor._logs.forget_broker()


async def until(reached: Callable[[], Awaitable[Any]], what: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await reached():
            await asyncio.sleep(0.02)
    assert what


async def looked(monitor: Monitor, clock: Clock) -> None:
    """Have it look, much later look again, and once more: what has not moved has stood still for too long."""
    for _ in range(3):
        await monitor.look()
        clock.now += 2 * STALL_S


def lag(flow: Flow, topic: str) -> dict[str, float]:
    return {
        sample.labels["partition"]: sample.value
        for family in flow.metrics.lag_messages.collect()
        for sample in family.samples
        if sample.labels["topic"] == topic
    }


def click(number: int) -> bytes:
    value = {"event_id": f"c{number}", "user_id": "u", "item_id": "i", "action": "view", "timestamp": BASE}
    return orjson.dumps(value)


def review(number: int, user: str = "u") -> bytes:
    common = {"user_id": user, "item_id": "i", "rating": 5, "timestamp": BASE}
    return orjson.dumps({"event_id": f"r{number}", "text": f"a fine record player {number}"} | common)


async def send(
    settings: Settings, topic: str, values: Sequence[bytes], partition: int = 0, user: str = "u", **options: Any
) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers, **options)
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(settings.topic_prefix + topic, value, key=user.encode(), partition=partition)
    finally:
        await producer.stop()


async def send_in_transaction(settings: Settings, values: Sequence[bytes], *, commit: bool = True) -> AIOKafkaProducer:
    """Send clicks in a transaction; one that is not committed is left open, with its producer."""
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap_servers, transactional_id=f"{settings.topic_prefix}shop"
    )
    await producer.start()
    await producer.begin_transaction()
    for value in values:
        await producer.send_and_wait(settings.topic_prefix + "clicks", value, key=b"u", partition=0)
    if commit:
        await producer.commit_transaction()
        await producer.stop()
    return producer


async def ask_admin(settings: Settings, what: Callable[[AIOKafkaAdminClient], Awaitable[Any]]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)
    await admin.start()
    try:
        await what(admin)
    finally:
        await admin.close()


def settled(flow: Flow, topic: str) -> int | None:
    position: int | None = flow.app.consumer.standing(TopicPartition(flow.settings.topic_prefix + topic, 0))
    return position


@pytest.fixture
def clock() -> Clock:
    return Clock()


# --- on Apache Kafka -----------------------------------------------------------------------------------------------


async def test_a_partition_that_ends_in_a_marker_of_a_transaction_is_not_behind(kafka, tmp_path, clock: Clock) -> None:
    settings = quick_settings(tmp_path, broker=kafka.url, topic_prefix="marker-", partitions=1)
    await make_topics(settings)
    async with watched(settings, HashEncoder(), clock) as (flow, monitor):
        await send_in_transaction(settings, [click(number) for number in range(3)])

        async def level() -> bool:
            await monitor.look()
            return lag(flow, "clicks") == {"0": 0} and settled(flow, "clicks") == 4

        await until(level, "the marker is passed")
        await looked(monitor, clock)
        assert flow.failed_with is None
        await flow.app.consumer.commit()
        consumer = flow.app.consumer
        (offset,) = (await consumer.committed_offsets([TopicPartition("marker-clicks", 0)])).values()
        assert offset == 4, "retention that takes the marker away takes nothing that was to be read"


async def test_records_that_expired_before_they_were_read_are_not_waited_for(kafka, tmp_path, clock: Clock) -> None:
    settings = quick_settings(tmp_path, broker=kafka.url, topic_prefix="expired-", partitions=1)
    await make_topics(settings)
    await send(settings, "erasures", [orjson.dumps({"user_id": "u", "timestamp": BASE})] * 5)
    tp = TopicPartition("expired-erasures", 0)
    await ask_admin(settings, lambda admin: admin.delete_records({tp: RecordsToDelete(before_offset=5)}))
    async with watched(settings, HashEncoder(), clock) as (flow, monitor):
        await looked(monitor, clock)
        assert lag(flow, "erasures") == {"0": 0}
        assert flow.failed_with is None


async def test_what_an_open_transaction_holds_back_is_no_stall(kafka, tmp_path, clock: Clock) -> None:
    settings = quick_settings(tmp_path, broker=kafka.url, topic_prefix="open-", partitions=1)
    await make_topics(settings)
    producer = await send_in_transaction(settings, [click(0)], commit=False)
    try:
        async with watched(settings, HashEncoder(), clock) as (flow, monitor):
            await looked(monitor, clock)
            assert flow.failed_with is None
    finally:
        await producer.abort_transaction()
        await producer.stop()


@pytest.mark.parametrize("client", [False, True], ids=["monitor", "client"])
@pytest.mark.parametrize("again", [False, True])
async def test_an_input_that_is_deleted_ends_the_worker_by_its_name(
    kafka, tmp_path, clock: Clock, again: bool, client: bool
) -> None:
    settings = quick_settings(
        tmp_path, broker=kafka.url, topic_prefix=f"gone{again:d}{client:d}-", partitions=2, request_timeout_s=5.0
    )
    await make_topics(settings)
    for partition in (0, 1):
        user = next(user for n in range(99) if partition_of((user := f"u{n}").encode(), 2, 0) == partition)
        await send(settings, "reviews", [review(number, user) for number in range(3)], partition, user)
    name = settings.topic_prefix + "reviews"
    async with asyncio.timeout(PATIENCE_S):
        async with watched(settings, HashEncoder(), clock) as (flow, monitor):

            async def taken_in() -> bool:
                return settled(flow, "reviews") == 3

            await until(taken_in, "the reviews are taken in")
            await ask_admin(settings, lambda admin: admin.delete_topics([name]))
            if again:
                # As a broker makes it by itself, of somebody's question for it.
                await ask_admin(settings, lambda admin: admin.create_topics([NewTopic(name, 1, 1)]))

            async def failed() -> bool:
                if client:
                    # As one says that commits offsets.
                    flow.fail(KafkaError("Unexpected error in offset commit: UnknownTopicOrPartitionError"))
                else:
                    await monitor.look()
                return flow.failed_with is not None

            await until(failed, "the worker ends")
    # Leaving did not wait for a broker that knows nothing of the topic.
    line = str(flow.failed_with)
    assert name in line
    assert "\n" not in line
    assert isinstance(flow.failed_with, MissingLogError) or "made anew" in line or "was deleted" in line


# --- on any broker -------------------------------------------------------------------------------------------------


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as started:
        yield started


async def test_while_the_broker_cannot_be_asked_no_lag_is_shown_and_leaving_is_bounded(
    tmp_path, broker: EmbeddedBroker, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow_module, "STOP_S", 1.0)
    settings = quick_settings(tmp_path, broker=broker.url, request_timeout_s=2.0)
    async with asyncio.timeout(PATIENCE_S), watched(settings, HashEncoder(), clock) as (flow, monitor):

        async def shown() -> bool:
            await monitor.look()
            return lag(flow, "clicks") == {"0": 0, "1": 0, "2": 0}

        # An answer may take longer than this test has patience with the broker.
        await until(shown, "the broker answers")
        broker.stop()
        await monitor.look()
        assert lag(flow, "clicks") == {}
        assert monitor.ready() == "the broker does not answer"
        await looked(monitor, clock)
        assert monitor.live() is None, "a restart brings no broker back"


class HungEncoder(HashEncoder):
    """Never returns from a pass until it is released."""

    def __init__(self) -> None:
        self.released = threading.Event()

    def embed(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        assert self.released.wait(PATIENCE_S)
        return super().embed(batch)


class LostEncoder(HashEncoder):
    """Its GPU has failed: every call does."""

    def embed(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")


@pytest.mark.parametrize(
    ("kind", "timeout_s", "reason"),
    [(HungEncoder, 0.2, "has not returned within 0.2 s"), (LostEncoder, PATIENCE_S, "takes no calls")],
)
async def test_an_encoder_that_only_another_process_can_use_ends_the_worker(
    tmp_path, broker: EmbeddedBroker, clock: Clock, kind: type[HashEncoder], timeout_s: float, reason: str
) -> None:
    encoder = kind()
    settings = quick_settings(tmp_path, broker=broker.url, partitions=1, encoder_timeout_s=timeout_s)
    async with watched(settings, encoder, clock) as (flow, monitor):
        await send(settings, "reviews", [review(0)])

        async def unusable() -> bool:
            await monitor.look()
            return flow.inference.batcher.unusable is not None

        await until(unusable, "the encoder is found out")
        await monitor.look()
        clock.now += STALL_S
        await monitor.look()
        assert monitor.live() is None, "it may come back within the limit"
        clock.now += 1
        await monitor.look()
        assert isinstance(flow.failed_with, StalledError)
        assert reason in str(monitor.live())
        if isinstance(encoder, HungEncoder):
            encoder.released.set()


async def test_an_encoder_that_fails_otherwise_is_waited_for(tmp_path, broker: EmbeddedBroker, clock: Clock) -> None:
    encoder = SwitchableEncoder()
    encoder.broken = True
    settings = quick_settings(tmp_path, broker=broker.url, partitions=1)
    async with watched(settings, encoder, clock) as (flow, monitor):
        await send(settings, "reviews", [review(0)])

        async def down() -> bool:
            await monitor.look()
            return flow.failing_dependencies() == ["the encoder is down"]

        await until(down, "the encoder is down")
        await looked(monitor, clock)
        assert lag(flow, "reviews") == {"0": 1}
        assert monitor.live() is None


async def test_clicks_that_stall_are_not_excused_by_an_encoder_that_is_down(
    tmp_path, broker: EmbeddedBroker, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = BlockingStore()
    monkeypatch.setattr(stores, "open_online_store", lambda _, **__: store)
    encoder = SwitchableEncoder()
    encoder.broken = True
    settings = quick_settings(tmp_path, broker=broker.url, partitions=1)
    try:
        async with watched(settings, encoder, clock) as (flow, monitor):
            await send(settings, "reviews", [review(0)])
            await send(settings, "clicks", [click(0)])

            async def both_wait() -> bool:
                await monitor.look()
                return flow.engine.encoder_down and store.held.is_set() and lag(flow, "clicks") == {"0": 1}

            await until(both_wait, "clicks and reviews wait")
            await looked(monitor, clock)
            assert str(flow.failed_with).startswith("clicks-0 has 1 records and made no progress for")
            store.released.set()
    finally:
        store.released.set()


async def test_a_recovery_is_judged_by_whether_it_moves(
    tmp_path, broker: EmbeddedBroker, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    position = 0
    monkeypatch.setattr(monitor_module, "awaited", lambda _: Awaited("the state to be recovered", position))
    settings = quick_settings(tmp_path, broker=broker.url, partitions=1)
    async with watched(settings, HashEncoder(), clock) as (flow, monitor):
        # As after a rebalance: nothing is delivered until the state is recovered.
        monkeypatch.setattr(type(flow.app.consumer), "delivering", False)
        await send(settings, "clicks", [click(0)])
        for _ in range(5):
            position += 1
            await looked_once(monitor, clock)
        assert flow.failed_with is None, "it takes long, and gets on"
        await looked_once(monitor, clock)
        await looked_once(monitor, clock)
        assert str(flow.failed_with).startswith("expected the state to be recovered, found no progress for")


async def looked_once(monitor: Monitor, clock: Clock) -> None:
    await monitor.look()
    clock.now += 2 * STALL_S
