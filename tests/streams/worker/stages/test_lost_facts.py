"""Facts that are gone before the stage of items took them in, on Apache Kafka: never skipped in silence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka import TopicPartition
from support.encoders import HashEncoder
from support.logs import delete_before, delete_topic
from support.patience import PATIENCE_S
from support.runs import quick_settings, work
from support.servers.kafka import Kafka
from support.shoppers import BASE

from streams.broker.topics.log_ends import high_watermarks
from streams.contract import FACTS, topic_name
from streams.exceptions import LostInputError, StateMismatchError
from streams.item_settings import Stages
from streams.settings import LostInput, Settings
from streams.worker.flow import Flow


@pytest.fixture
async def settings(kafka: Kafka, tmp_path: Path) -> Settings:
    """Settings of both stages, with topics of their own, of one partition, and five facts taken in."""
    prefix = f"{uuid4().hex[:8]}-"
    settings = quick_settings(tmp_path, broker=kafka.url, topic_prefix=prefix, partitions=1, items=True)
    async with worker(settings) as flow:
        await work(flow, clicks(5))
        assert flow.tally.facts_applied == 5
    return settings


def clicks(number: int, first: int = 0) -> list[dict[str, object]]:
    value = {"user_id": "u", "item_id": "i", "action": "view", "timestamp": BASE}
    return [{"topic": "clicks", "value": value | {"event_id": str(first + one)}} for one in range(number)]


@asynccontextmanager
async def worker(settings: Settings, stages: Stages = Stages.BOTH) -> AsyncIterator[Flow]:
    chosen = settings.model_copy(update={"stages": stages})
    async with asyncio.timeout(PATIENCE_S), Flow(chosen, encoder=HashEncoder()) as flow:
        yield flow


async def test_facts_deleted_while_the_stage_of_items_was_away_are_told_of(settings: Settings) -> None:
    facts = TopicPartition(topic_name(settings, FACTS), 0)
    async with worker(settings, Stages.USERS) as users:
        await work(users, clicks(8, first=5))
    end = (await high_watermarks(settings, [facts]))[facts]
    await delete_before(settings, {facts: end})
    with pytest.raises(LostInputError) as refused:
        async with worker(settings, Stages.ITEMS):
            pass
    line = str(refused.value)
    assert line.startswith(f"{facts.topic}-0 begins at offset {end}, but the group has taken in only what is before")
    assert "WHEREWITHAL_LOST_INPUT=skip" in line
    assert "\n" not in line
    going_on = settings.model_copy(update={"lost_input": LostInput.SKIP})
    async with worker(going_on) as flow:
        await work(flow, clicks(2, first=13))
        assert flow.tally.facts_applied == 2
        lost = flow.metrics.registry.get_sample_value("wherewithal_lost_input_records_total", {"topic": FACTS})
        assert lost is not None
        assert lost > 0


async def test_a_facts_topic_made_anew_is_refused(settings: Settings) -> None:
    await delete_topic(settings, topic_name(settings, FACTS))
    with pytest.raises(
        StateMismatchError, match=rf"{topic_name(settings, FACTS)}-0 ends at offset 0, .* made anew"
    ) as no:
        async with worker(settings):
            pass
    assert "\n" not in str(no.value)
