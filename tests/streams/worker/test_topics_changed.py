"""Topics that are not as a worker left them, before its start and while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.errors import KafkaError
from support.encoders import HashEncoder
from support.logs import alter, delete_before, delete_topic
from support.patience import PATIENCE_S
from support.runs import quick_settings, work
from support.servers.kafka import Kafka, kafka_libraries
from support.shoppers import random_lines

from streams.broker.connection import connection, new_consumer, new_producer
from streams.broker.embedded import EmbeddedBroker
from streams.broker.reading import drop_topics
from streams.broker.topics.counts import partition_counts
from streams.broker.topics.log_ends import high_watermarks
from streams.broker.topics.provisioning import make_topics
from streams.broker.topics.topic_settings import wanted
from streams.contract import CLICKS, INPUTS, TOPICS, changelog_name, topic_name
from streams.exceptions import BrokerError, StateMismatchError
from streams.settings import Settings, StateStore
from streams.worker.flow import Flow
from streams.worker.stage_spec import USERS
from streams.worker.stages import topic_watch
from streams.worker.stages.topic_watch import TopicWatch
from streams.worker.state.local_store import Progress

LINES = random_lines(seed=7, events=120, users=30)
PARTITIONS = 3


@pytest.fixture
def settings(kafka: Kafka, tmp_path: Path) -> Settings:
    """Settings of a worker that loses its local state whenever it ends."""
    return quick_settings(tmp_path, broker=kafka.url, topic_prefix=f"{uuid4().hex[:8]}-", partitions=PARTITIONS)


async def worked(settings: Settings, lines: list[dict[str, object]] = LINES) -> None:
    async with Flow(settings, encoder=HashEncoder()) as flow:
        await work(flow, lines)


async def refused(settings: Settings) -> str:
    """Start a worker; return the line with which it refuses."""
    with pytest.raises(StateMismatchError) as error:
        async with Flow(settings, encoder=HashEncoder()):
            pytest.fail("it started")
    assert "\n" not in str(error.value)
    return str(error.value)


async def grow(settings: Settings, *names: str, to: int = 2 * PARTITIONS) -> None:
    """Add partitions as an operator does."""
    admin = AIOKafkaAdminClient(**connection(settings))
    await admin.start()
    try:
        await admin.create_partitions({name: NewPartitions(to) for name in names})
    finally:
        await admin.close()
    async with asyncio.timeout(PATIENCE_S):
        while await partition_counts(settings, names) != dict.fromkeys(names, to):
            await asyncio.sleep(0.05)


def every_topic(settings: Settings) -> list[str]:
    return [changelog_name(settings), *(topic_name(settings, topic) for topic in TOPICS)]


async def test_a_changelog_deleted_together_with_the_local_state_is_not_begun_anew(settings: Settings) -> None:
    await worked(settings)
    await delete_topic(settings, changelog_name(settings))
    line = await refused(settings)
    assert "is empty, but the group has committed" in line
    assert "set WHEREWITHAL_GROUP to a new name" in line


async def test_a_changelog_whose_records_were_deleted_is_refused(settings: Settings) -> None:
    await worked(settings)
    name = changelog_name(settings)
    logs = [TopicPartition(name, number) for number in range(PARTITIONS)]
    # What compacts cannot be told to delete, so an operator changes that first, and back.
    await alter(settings, name, cleanup_policy="delete")
    await delete_before(settings, await high_watermarks(settings, logs))
    await alter(settings, name, cleanup_policy="compact")
    assert "states were deleted" in await refused(settings)


async def test_a_changelog_that_was_deleted_from_beyond_the_local_state_is_refused(settings: Settings) -> None:
    # Another worker has gone on since this folder was left, and what it wrote is deleted but for the end.
    settings = settings.model_copy(update={"state_store": StateStore.ROCKSDB})
    await worked(settings)
    name = changelog_name(settings)
    logs = [TopicPartition(name, number) for number in range(PARTITIONS)]
    other = settings.model_copy(update={"state_dir": settings.state_dir.with_name("other")})
    await worked(other, random_lines(seed=8, events=300, users=40))
    ends = await high_watermarks(settings, logs)
    await alter(settings, name, cleanup_policy="delete")
    await delete_before(settings, {tp: end - 1 for tp, end in ends.items()})
    await alter(settings, name, cleanup_policy="compact")
    assert "states were deleted" in await refused(settings)
    # The folder that has all of it goes on.
    await worked(other)


async def test_a_partition_that_held_nothing_but_dead_letters_is_no_lost_state(settings: Settings) -> None:
    await worked(settings, [{"topic": CLICKS, "key": f"u{number}", "raw": "no JSON"} for number in range(9)])
    await worked(settings, LINES)


async def test_a_new_group_makes_its_changelog_like_the_topics_that_exist(settings: Settings) -> None:
    await make_topics(settings)
    other = settings.model_copy(update={"group": "other", "partitions": 8})
    assert (await make_topics(other)).partitions == PARTITIONS


async def test_inputs_that_were_given_more_partitions_than_the_state_are_refused_with_the_truth(
    settings: Settings,
) -> None:
    await make_topics(settings)
    await grow(settings, *(topic_name(settings, topic) for topic in INPUTS))
    line = await refused(settings)
    assert f"expected {PARTITIONS} partitions, as the changelog '{changelog_name(settings)}' has" in line
    assert f"{topic_name(settings, CLICKS)} {2 * PARTITIONS}" in line
    assert "start over behind a new WHEREWITHAL_TOPIC_PREFIX" in line


async def test_partitions_added_while_the_worker_runs_end_it(settings: Settings) -> None:
    await make_topics(settings)
    watch = TopicWatch(settings, USERS, list(wanted(settings)), dict, pytest.fail)
    await watch.look()
    await grow(settings, *every_topic(settings))
    with pytest.raises(StateMismatchError, match=f"expected {PARTITIONS} partitions, .* partitions were added"):
        await watch.look()


async def test_a_worker_ends_by_what_its_watch_of_the_topics_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = iter([BrokerError("silent"), StateMismatchError("partitions were added")])

    async def look(watch: TopicWatch) -> None:
        raise next(found)

    monkeypatch.setattr(topic_watch, "INTERVAL_S", 0.05)
    monkeypatch.setattr(TopicWatch, "look", look)
    async with Flow(quick_settings(tmp_path), encoder=HashEncoder()) as flow:
        with pytest.raises(StateMismatchError, match="partitions were added"):
            await asyncio.wait_for(flow.wait(), PATIENCE_S)
    assert next(found, None) is None


async def test_a_topic_that_is_gone_ends_the_worker_at_the_second_sight(settings: Settings) -> None:
    await make_topics(settings)
    watch = TopicWatch(settings, USERS, list(wanted(settings)), dict, pytest.fail)
    await watch.look()
    await delete_topic(settings, topic_name(settings, CLICKS))
    await watch.look()
    with pytest.raises(StateMismatchError, match=f"expected the topic '{topic_name(settings, CLICKS)}', found none"):
        await watch.look()


async def test_a_topic_made_anew_ends_the_worker(settings: Settings) -> None:
    await make_topics(settings)
    watch = TopicWatch(
        settings, USERS, list(wanted(settings)), lambda: {0: Progress(applied=(-1, -1, 7, -1))}, pytest.fail
    )
    name = topic_name(settings, CLICKS)
    with pytest.raises(StateMismatchError, match=f"{name}-0 ends at offset 0, .* 8: the topic was made anew"):
        await watch.look()


@pytest.fixture(params=["embedded", "kafka"])
def willing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give a broker that makes any topic that it is asked about, unless it is told not to."""
    if request.param == "embedded":
        with EmbeddedBroker() as broker:
            yield broker.url
    else:
        kafka_libraries()
        with Kafka(tmp_path / "kafka", properties={"auto.create.topics.enable": "true"}) as broker:
            yield broker.url


async def test_no_client_makes_a_topic_by_asking_for_it(willing: str, tmp_path: Path) -> None:
    settings = quick_settings(tmp_path, broker=willing, request_timeout_s=2.0)
    consumer, producer = new_consumer(settings), new_producer(settings)
    await consumer.start()
    await producer.start()
    try:
        consumer.subscribe([CLICKS])
        with pytest.raises(KafkaError):
            await producer.send_and_wait(CLICKS, b"value")
        assert await consumer.getmany(timeout_ms=500) == {}
    finally:
        await producer.stop()
        await consumer.stop()
    assert await partition_counts(settings, [CLICKS]) == {}


async def test_all_topics_of_a_deployment_are_dropped_and_no_others(settings: Settings) -> None:
    other = settings.model_copy(update={"topic_prefix": f"{uuid4().hex[:8]}-"})
    await make_topics(settings)
    await make_topics(other)
    await drop_topics(settings)
    async with asyncio.timeout(PATIENCE_S):
        while await partition_counts(settings, every_topic(settings)):
            await asyncio.sleep(0.05)
    assert len(await partition_counts(other, every_topic(other))) == len(every_topic(other))
