"""Records of somebody else in a worker's logs: its users are written again, so that compaction keeps the right ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
from aiokafka import ConsumerRecord
from support.encoders import HashEncoder
from support.patience import PATIENCE_S
from support.runs import quick_settings
from support.servers.kafka import Kafka
from support.shoppers import arriving

from features.users.codec import decode, encode
from streams.broker.lease import Lease, LeaseLostError
from streams.broker.publisher import Publisher
from streams.broker.reading import read_topic
from streams.broker.topics.provisioning import make_topics
from streams.cli.replay import feed
from streams.contract import SCORES, changelog_name, topic_name
from streams.operating.drain import Drain
from streams.records.ndjson import partition_of
from streams.records.outgoing import Outgoing
from streams.settings import Settings
from streams.worker.flow import Flow

BASE = 1_764_000_000_000


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.02)


def views(first: int, count: int, user: str = "u") -> list[dict[str, Any]]:
    value = {"user_id": user, "item_id": "i", "action": "view"}
    return [
        {"topic": "clicks", "value": value | {"event_id": f"{user}{number}", "timestamp": BASE + number}}
        for number in range(first, first + count)
    ]


async def records(settings: Settings, topic: str) -> list[ConsumerRecord]:
    return [record async for batch in read_topic(settings, topic) for record in batch if record.value is not None]


async def append(settings: Settings, topic: str, record: ConsumerRecord, value: bytes | None = None) -> None:
    """Append a record once more, as a worker does that no longer owns the partition."""
    somebody = Publisher(settings)
    await somebody.start()
    sent = await somebody.send(topic, record.partition, [Outgoing(record.key, value or record.value)])
    await sent.acknowledged()
    await somebody.stop()


@pytest_asyncio.fixture
async def flow(tmp_path: Path) -> AsyncIterator[Flow]:
    async with Flow(quick_settings(tmp_path), encoder=HashEncoder()) as started:
        yield started


async def fed(flow: Flow, lines: list[dict[str, Any]]) -> None:
    drain = Drain(flow, 1000)
    await drain.drained((await feed(flow, drain, arriving(lines))).ends)


async def test_a_quiet_user_whom_somebody_else_overwrote_is_written_again(flow: Flow) -> None:
    settings, changelog, scores = flow.settings, changelog_name(flow.settings), topic_name(flow.settings, SCORES)
    await fed(flow, views(0, 3))
    state, score = (await records(settings, changelog))[-1], (await records(settings, scores))[-1]
    await fed(flow, views(3, 2))
    await append(settings, changelog, state)
    await append(settings, scores, score)
    assert decode((await records(settings, changelog))[-1].value).revision == 3
    await flow.engine.assignment._strays.look()
    await until(lambda: flow.metrics.registry.get_sample_value("wherewithal_foreign_records_total") == 2)
    await flow.engine.held.settle()
    assert decode((await records(settings, changelog))[-1].value).revision == 5
    assert orjson.loads((await records(settings, scores))[-1].value)["revision"] == 5


async def test_the_next_write_to_a_log_tells_what_somebody_else_wrote_before_it(flow: Flow) -> None:
    settings, changelog = flow.settings, changelog_name(flow.settings)
    await fed(flow, views(0, 1))
    state = (await records(settings, changelog))[-1]
    await fed(flow, views(1, 1))
    await append(settings, changelog, state)
    other = next(
        f"v{n}" for n in range(100) if partition_of(f"v{n}".encode(), settings.partitions, 0) == state.partition
    )
    await fed(flow, views(0, 1, other))
    await until(lambda: flow.metrics.registry.get_sample_value("wherewithal_foreign_records_total") == 1)
    await flow.engine.held.settle()
    newest = {record.key: decode(record.value).revision for record in await records(settings, changelog)}
    assert newest == {b"u": 2, other.encode(): 1}


async def test_a_worker_gives_its_partitions_up_when_a_later_owner_writes(flow: Flow) -> None:
    settings, changelog = flow.settings, changelog_name(flow.settings)
    await fed(flow, views(0, 1))
    record = (await records(settings, changelog))[-1]
    state = decode(record.value)
    state.epoch += 1
    serial = flow.engine.assignment.serial
    await append(settings, changelog, record, encode(state))
    await flow.engine.assignment._strays.look()
    await until(lambda: flow.engine.held.serving() and flow.engine.assignment.serial > serial)
    assert flow.failed_with is None


async def test_kafka_tells_the_repeated_batches_of_a_producer_from_new_ones(kafka: Kafka, tmp_path: Path) -> None:
    settings = quick_settings(tmp_path, broker=kafka.url, topic_prefix="idempotent-", partitions=1)
    await make_topics(settings)
    publisher = Publisher(settings)
    await publisher.start()
    assert publisher._producer._txn_manager is not None, "it is idempotent"
    written: list[tuple[str, int, int, int]] = []
    publisher._on_written = lambda *batch: written.append(batch)
    topic = topic_name(settings, SCORES)
    for number in range(3):
        await (await publisher.send(topic, 0, [Outgoing(b"u", b"%d" % number)] * 2)).acknowledged()
    await publisher.stop()
    assert written == [(topic, 0, 0, 2), (topic, 0, 2, 2), (topic, 0, 4, 2)]


async def test_what_waits_in_a_producer_that_is_abandoned_is_never_sent(kafka: Kafka, tmp_path: Path) -> None:
    settings = quick_settings(tmp_path, broker=kafka.url, topic_prefix="abandoned-", partitions=1)
    await make_topics(settings)
    topic = topic_name(settings, SCORES)
    lease = Lease(3600.0, float("inf"))
    publisher = Publisher(settings, lease)
    await publisher.start()
    await (await publisher.send(topic, 0, [Outgoing(b"u", b"sent")])).acknowledged()
    lease.end()
    late = await publisher.send(topic, 0, [Outgoing(b"u", b"late")])
    with pytest.raises(LeaseLostError):
        await late.acknowledged()
    await publisher.abandon()
    await publisher.abandon()
    assert [record.value for record in await records(settings, topic)] == [b"sent"]
