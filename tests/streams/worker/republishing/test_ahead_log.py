"""Records ahead of the clock are found at the end of the score topic, or by the broker's index of times."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import pytest
from aiokafka import TopicPartition
from support.runs import quick_settings
from support.servers.kafka import Kafka

from streams.broker.connection import new_producer
from streams.broker.embedded import EmbeddedBroker
from streams.broker.topics.log_ends import high_watermarks
from streams.broker.topics.provisioning import make_topics
from streams.contract import SCORES, topic_name
from streams.settings import Settings
from streams.worker.republishing import ahead_log
from streams.worker.republishing.ahead import Limits
from streams.worker.republishing.ahead_log import FIRST_CHUNK, find_ahead

HOUR = 3_600_000


@pytest.fixture
def now() -> int:
    """The clock when the test begins, ms: the embedded broker's index has the times at which it was given records."""
    return int(time.time() * 1000)


@contextmanager
def _embedded() -> Iterator[str]:
    with EmbeddedBroker() as broker:
        yield broker.url


@pytest.fixture(params=["embedded", "kafka"])
async def settings(request: pytest.FixtureRequest, tmp_path: Any) -> AsyncIterator[Settings]:
    if request.param == "kafka":
        kafka: Kafka = request.getfixturevalue("kafka")
        made = quick_settings(tmp_path, broker=kafka.url, topic_prefix=f"{tmp_path.name}-", partitions=2)
        await make_topics(made)
        yield made
        return
    with _embedded() as url:
        made = quick_settings(tmp_path, broker=url, partitions=2)
        await make_topics(made)
        yield made


async def publish(settings: Settings, now: int, *records: tuple[str, int | None]) -> None:
    """Publish records of users, made at these instants; tombstones without one."""
    producer = new_producer(settings)
    await producer.start()
    try:
        name = topic_name(settings, SCORES)
        for user, at in records:
            value = None if at is None else orjson.dumps({"revision": 1, "event_time": now, "emitted_at": at})
            stamp = now if at is None else at
            await producer.send(name, value, key=user.encode(), partition=1, timestamp_ms=stamp)
        await producer.flush()
    finally:
        await producer.stop()


async def found(settings: Settings, now: int) -> list[str]:
    limit = now + HOUR // 2
    name = topic_name(settings, SCORES)
    ends = await high_watermarks(settings, [TopicPartition(name, 0), TopicPartition(name, 1)])
    by_partition = await find_ahead(settings, ends, Limits(event_time=limit, emitted_at=limit))
    assert by_partition[TopicPartition(name, 0)] == {}
    return [user.decode() for user in by_partition[TopicPartition(name, 1)]]


async def test_an_empty_log_has_nobody(settings: Settings, now: int) -> None:
    assert await found(settings, now) == []


async def test_where_nothing_is_ahead_only_the_last_records_are_read(
    settings: Settings, now: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(settings, now, *((f"u{number}", now - HOUR) for number in range(3 * FIRST_CHUNK)))
    read = []
    records = ahead_log._Log.records

    async def counted(*arguments: Any) -> AsyncIterator[Any]:
        async for record in records(*arguments):
            read.append(record)
            yield record

    monkeypatch.setattr(ahead_log._Log, "records", counted)
    assert await found(settings, now) == []
    assert len(read) == FIRST_CHUNK


async def test_all_that_is_ahead_is_found_however_much_it_is(settings: Settings, now: int) -> None:
    right = [(f"right{number}", now - HOUR) for number in range(FIRST_CHUNK)]
    wrong = [(f"wrong{number}", now + HOUR) for number in range(3 * FIRST_CHUNK)]
    await publish(settings, now, *right, *wrong, ("wrong0", None), ("wrong0", now))
    assert sorted(await found(settings, now)) == sorted(user for user, _ in wrong[1:])


# The embedded broker keeps no index of the times that producers give.
@pytest.mark.parametrize("settings", ["kafka"], indirect=True)
async def test_what_is_ahead_behind_many_right_records_is_found_by_time(settings: Settings, now: int) -> None:
    await publish(settings, now, ("wrong", now + HOUR), *((f"u{number}", now) for number in range(2 * FIRST_CHUNK)))
    assert await found(settings, now) == ["wrong"]
