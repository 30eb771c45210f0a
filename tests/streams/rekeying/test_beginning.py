"""Where `rekey` begins in a topic."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from support.patience import PATIENCE_S
from support.servers.brokers import Broker
from support.shop_topics import numbered_clicks, numbers_taken, publish, rekey_settings, rekeyed, rekeying

from streams.broker.connection import connection
from streams.contract import rekey_group_name
from streams.exceptions import StateMismatchError
from streams.rekeying.app import SourceMember
from streams.rekeying.beginning import Beginnings
from streams.rekeying.monitor import Monitor
from streams.settings import Settings
from streams.telemetry.rekey_metrics import RekeyMetrics


@pytest.fixture
def shop(broker: Broker) -> str:
    return f"{broker.topic_prefix}shop"


@pytest.fixture
def settings(broker: Broker, shop: str, tmp_path: Path, session: dict[str, float]) -> Settings:
    return rekey_settings(tmp_path, [f"{shop}=clicks"], broker=broker.url, **session)


async def commit(settings: Settings, offsets: dict[TopicPartition, int]) -> None:
    """Commit as the group of `rekey`, while it has no member."""
    group = rekey_group_name(settings)
    async with AIOKafkaConsumer(**connection(settings), group_id=group, enable_auto_commit=False) as consumer:
        consumer.assign(list(offsets))
        await consumer.commit(offsets)


@pytest.mark.parametrize("start", ["earliest", "latest", "an instant"])
async def test_it_begins_where_the_setting_says_and_goes_on_where_it_was(
    settings: Settings, shop: str, start: str
) -> None:
    await publish(settings, shop, numbered_clicks(range(6)))
    instant = int(time.time() * 1000) + 1
    await asyncio.sleep(0.01)
    if start == "an instant":
        await publish(settings, shop, numbered_clicks(range(6, 12)))
    chosen = settings.model_copy(update={"start_from": str(instant) if start == "an instant" else start})
    async with rekeying(chosen):
        if start != "an instant":
            await publish(settings, shop, numbered_clicks(range(6, 12)))
        await rekeyed(chosen, shop)
    first = 0 if start == "earliest" else 6
    assert await numbers_taken(settings) == list(range(first, 12))
    await publish(settings, shop, numbered_clicks(range(12, 15)))
    async with rekeying(chosen):
        await rekeyed(chosen, shop)
    assert await numbers_taken(settings) == list(range(first, 15))


async def test_a_partition_that_is_added_is_read_from_its_first_record(settings: Settings, shop: str) -> None:
    latest = settings.model_copy(update={"start_from": "latest"})
    await publish(settings, shop, numbered_clicks(range(6)))
    # As a group leaves a topic of two partitions that has got a third one since.
    await commit(settings, {TopicPartition(shop, number): 2 for number in range(2)})
    async with rekeying(latest):
        await rekeyed(latest, shop)
    assert await numbers_taken(settings) == [2, 5]


async def test_of_processes_that_start_together_the_first_finds_a_place_in_every_partition(
    settings: Settings, shop: str
) -> None:
    latest = settings.model_copy(update={"start_from": "latest"})
    await publish(settings, shop, numbered_clicks(range(6)))
    every = [TopicPartition(shop, number) for number in range(3)]
    starts = await Beginnings(latest, RekeyMetrics()).starts(every[:1], every, {})
    assert starts == dict.fromkeys(every, 2)
    async with rekeying(latest) as one, rekeying(latest) as two:
        async with asyncio.timeout(PATIENCE_S):
            while not all(flow.app.consumer.delivering and flow.app.consumer.assignment() for flow in (one, two)):
                await asyncio.sleep(0.05)
        member, other = SourceMember(one.app), SourceMember(two.app)
        theirs = other.assigned()
        await member.begin_at(dict.fromkeys(theirs, 1))
        committed = await other.committed(theirs)
        assert committed == dict.fromkeys(theirs, 1)
        assert not set(theirs) & set(member.assigned())


async def test_a_topic_that_was_made_anew_ends_it(settings: Settings, shop: str) -> None:
    await publish(settings, shop, numbered_clicks(range(6)))
    await commit(settings, {TopicPartition(shop, number): 9 for number in range(3)})
    with pytest.raises(StateMismatchError, match="ends at offset 2, but offset 9 was reached"):
        async with rekeying(settings):
            pass
    assert await numbers_taken(settings) == []


async def test_a_process_that_no_partition_is_left_for_is_ready_and_takes_over(settings: Settings, shop: str) -> None:
    await publish(settings, shop, numbered_clicks(range(3)), partitions=1)
    async with rekeying(settings) as spare:
        async with rekeying(settings) as other:
            monitors = [Monitor(flow) for flow in (spare, other)]
            async with asyncio.timeout(PATIENCE_S):
                while any(monitor._look_what_is_missing() for monitor in monitors):
                    await asyncio.sleep(0.05)
            shares = sorted(len(SourceMember(flow.app).assigned()) for flow in (spare, other))
            assert shares == [0, 1]
            await rekeyed(settings, shop)
        await publish(settings, shop, numbered_clicks(range(3, 6)), partitions=1)
        await rekeyed(settings, shop)
    assert await numbers_taken(settings) == list(range(6))
