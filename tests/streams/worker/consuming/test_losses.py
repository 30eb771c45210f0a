"""Records deleted before this group took them in, on Apache Kafka: told of, and never skipped in silence."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from faust.types import TP
from support.encoders import HashEncoder
from support.logs import delete_before
from support.patience import PATIENCE_S
from support.runs import quick_settings
from support.servers.kafka import Kafka
from support.shoppers import BASE

from features.users.codec import decode
from streams.broker.connection import connection
from streams.broker.publisher import Publisher
from streams.broker.topics.provisioning import make_topics
from streams.contract import CLICKS, INPUTS, topic_name
from streams.exceptions import LostInputError, StateMismatchError
from streams.records.outgoing import Outgoing
from streams.settings import LostInput, Settings
from streams.telemetry.tally import Fate
from streams.worker.flow import Flow


@pytest.fixture
async def settings(kafka: Kafka, tmp_path: Path) -> Settings:
    """Settings with topics of their own, of one partition."""
    settings = quick_settings(tmp_path, broker=kafka.url, topic_prefix=f"{uuid4().hex[:8]}-", partitions=1)
    await make_topics(settings)
    return settings


def clicks_of(settings: Settings) -> TopicPartition:
    return TopicPartition(topic_name(settings, CLICKS), 0)


async def publish(settings: Settings, numbers: range) -> None:
    """Publish clicks of one user, one each."""
    publisher = Publisher(settings)
    await publisher.start()
    try:
        for number in numbers:
            value = {"event_id": f"{number}", "user_id": "u", "item_id": "i", "action": "view", "timestamp": BASE}
            sent = await publisher.send(topic_name(settings, CLICKS), 0, [Outgoing(b"u", orjson.dumps(value))])
            await sent.acknowledged()
    finally:
        await publisher.stop()


@asynccontextmanager
async def worker(settings: Settings) -> AsyncIterator[Flow]:
    async with asyncio.timeout(PATIENCE_S), Flow(settings, encoder=HashEncoder()) as flow:
        yield flow


async def settled(flow: Flow, offset: int) -> None:
    while flow.app.consumer.settled_position(TP(topic_name(flow.settings, CLICKS), 0)) < offset:
        assert flow.failed_with is None
        await asyncio.sleep(0.05)


async def committed(settings: Settings) -> Mapping[str, int | None]:
    """What the group has committed of each input."""
    group = settings.topic_prefix + settings.group
    consumer = AIOKafkaConsumer(**connection(settings), group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        return {topic: await consumer.committed(TopicPartition(topic_name(settings, topic), 0)) for topic in INPUTS}
    finally:
        await consumer.stop()


def lost(flow: Flow) -> float:
    return flow.metrics.registry.get_sample_value("wherewithal_lost_input_records_total", {"topic": CLICKS}) or 0.0


async def test_a_worker_whose_input_was_deleted_while_it_was_away_refuses_to_start_and_says_how_much(
    settings: Settings,
) -> None:
    await publish(settings, range(5))
    async with worker(settings) as flow:
        await settled(flow, 5)
    await publish(settings, range(5, 20))
    await delete_before(settings, {clicks_of(settings): 12})
    with pytest.raises(LostInputError) as refused:
        async with worker(settings):
            pass
    line = str(refused.value)
    assert line.startswith(
        f"{topic_name(settings, CLICKS)}-0 begins at offset 12, but the group has taken in only what"
    )
    assert "before 5: up to 7 records were deleted before they were read" in line
    assert "WHEREWITHAL_LOST_INPUT=skip" in line
    assert "\n" not in line


async def test_with_the_setting_it_goes_on_and_counts_them_once(settings: Settings) -> None:
    settings = settings.model_copy(update={"lost_input": LostInput.SKIP})
    await publish(settings, range(5))
    async with worker(settings) as flow:
        await settled(flow, 5)
        assert lost(flow) == 0
    await publish(settings, range(5, 20))
    await delete_before(settings, {clicks_of(settings): 20})
    async with worker(settings) as flow:
        assert lost(flow) == 15
    async with worker(settings) as flow:
        assert lost(flow) == 0
        await publish(settings, range(20, 23))
        await settled(flow, 23)
        assert flow.engine.held.find("u") is not None
        assert next(decode(state).revision for _, state in flow.engine.partitions[0].states.items(0)) == 8


async def test_a_first_start_begins_where_the_log_does_and_notes_that(settings: Settings) -> None:
    await publish(settings, range(10))
    await delete_before(settings, {clicks_of(settings): 4})
    async with worker(settings) as flow:
        await settled(flow, 10)
        assert lost(flow) == 0
    assert await committed(settings) == dict.fromkeys(INPUTS, 0) | {CLICKS: 10}


async def test_what_came_and_went_while_the_worker_was_away_is_a_loss_though_nothing_was_ever_read_of_that_input(
    settings: Settings,
) -> None:
    async with worker(settings):
        pass
    await publish(settings, range(5))
    await delete_before(settings, {clicks_of(settings): 5})
    with pytest.raises(LostInputError, match="up to 5 records"):
        async with worker(settings):
            pass


async def test_a_group_whose_offsets_are_gone_is_judged_by_its_state(kafka: Kafka, settings: Settings) -> None:
    await publish(settings, range(5))
    async with worker(settings) as flow:
        await settled(flow, 5)
    await forget_offsets(kafka, settings)
    # All is still there: what the state holds is delivered again, and changes nothing.
    async with worker(settings) as flow:
        await settled(flow, 5)
    await publish(settings, range(5, 9))
    await delete_before(settings, {clicks_of(settings): 7})
    await forget_offsets(kafka, settings)
    with pytest.raises(LostInputError, match="before 5: up to 2 records"):
        async with worker(settings):
            pass


async def forget_offsets(kafka: Kafka, settings: Settings) -> None:
    """Delete what the group has committed, as a broker does with a group that was away for long."""
    group = settings.topic_prefix + settings.group
    tool = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
    await asyncio.to_thread(kafka.tool, tool, "--bootstrap-server", kafka.servers[0], "--delete", "--group", group)


@pytest.mark.parametrize("choice", LostInput)
async def test_records_deleted_before_a_running_worker_fetched_them_are_a_loss_too(
    settings: Settings, choice: LostInput
) -> None:
    settings = settings.model_copy(update={"lost_input": choice})
    async with worker(settings) as flow:
        await publish(settings, range(5))
        await settled(flow, 5)
        await delete_before(settings, {clicks_of(settings): 4})
        # As far back as a worker that is slower than the retention.
        await flow.app.consumer.seek(TP(*clicks_of(settings)), 1)
        if choice is LostInput.REFUSE:
            with pytest.raises(LostInputError, match=r"begins at offset 4, .* before 1: up to 3 records"):
                await flow.wait()
            return
        await publish(settings, range(5, 8))
        await settled(flow, 8)
        assert lost(flow) == 3


async def test_a_position_behind_the_end_of_a_log_is_never_taken_for_its_beginning(settings: Settings) -> None:
    async with worker(settings) as flow:
        await publish(settings, range(5))
        await settled(flow, 5)
        await flow.app.consumer.seek(TP(*clicks_of(settings)), 9)
        with pytest.raises(StateMismatchError, match="ends at offset 5, but offset 9 was reached already"):
            await flow.wait()


@pytest.mark.parametrize(("start", "applied"), [("earliest", 5), ("latest", 2), ("an instant", 2), ("tomorrow", 2)])
async def test_a_group_begins_where_the_setting_says_and_goes_on_where_it_was(
    settings: Settings, start: str, applied: int
) -> None:
    await publish(settings, range(3))
    between = int(time.time() * 1000) + 1
    await asyncio.sleep(0.01)
    if start == "an instant":
        await publish(settings, range(3, 5))
    instants = {"an instant": between, "tomorrow": between + 86_400_000}
    settings = settings.model_copy(update={"start_from": str(instants.get(start, start))})
    async with worker(settings) as flow:
        if start != "an instant":
            await publish(settings, range(3, 5))
        await settled(flow, 5)
        assert flow.tally.fates[Fate.APPLIED] == applied
    await publish(settings, range(5, 7))
    async with worker(settings) as flow:
        await settled(flow, 7)
        assert flow.tally.fates[Fate.APPLIED] == 2
