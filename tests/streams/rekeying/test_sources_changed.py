"""Topics of a shop that change while `rekey` reads them, or before: on Apache Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from faust.types import TP
from support.logs import delete_before
from support.patience import PATIENCE_S
from support.servers.kafka import Kafka
from support.shop_topics import numbered_clicks, numbers_taken, publish, rekey_settings, rekeyed, rekeying

from streams.broker.connection import connection
from streams.exceptions import BrokerError, LostInputError
from streams.rekeying.monitor import Monitor
from streams.settings import LostInput, Settings
from streams.telemetry.rekey_metrics import RekeyMetrics


@pytest.fixture
def settings(kafka: Kafka, tmp_path: Path) -> Settings:
    prefix = f"{uuid4().hex[:8]}-"
    sources = [f"{prefix}shop=clicks"]
    # Taken for dead, a process would read again what it had not committed.
    return rekey_settings(tmp_path, sources, broker=kafka.url, topic_prefix=prefix, session_timeout_s=PATIENCE_S)


@pytest.fixture
def shop(settings: Settings) -> str:
    (source,) = settings.rekey_topics
    return source.topic


def lost(metrics: RekeyMetrics) -> float:
    samples = [sample for family in metrics.lost_input.collect() for sample in family.samples]
    return sum(sample.value for sample in samples if sample.name.endswith("_total"))


async def lose(settings: Settings, shop: str, before: int) -> None:
    await delete_before(settings, {TopicPartition(shop, number): before for number in range(3)})


async def asked(settings: Settings, ask: Callable[[AIOKafkaAdminClient], Awaitable[object]]) -> None:
    """Do to topics what their owner does."""
    admin = AIOKafkaAdminClient(**connection(settings))
    await admin.start()
    try:
        await ask(admin)
    finally:
        await admin.close()


@pytest.mark.parametrize("choice", LostInput)
async def test_records_deleted_before_it_starts_end_it_or_are_counted(
    settings: Settings, shop: str, choice: LostInput
) -> None:
    await publish(settings, shop, numbered_clicks(range(6)))
    async with rekeying(settings):
        await rekeyed(settings, shop)
    await publish(settings, shop, numbered_clicks(range(6, 18)))
    await lose(settings, shop, 4)
    again = settings.model_copy(update={"lost_input": choice})
    if choice is LostInput.REFUSE:
        with pytest.raises(LostInputError, match="up to 2 records were deleted before they were read"):
            async with rekeying(again):
                pass
        assert await numbers_taken(settings) == list(range(6))
        return
    async with rekeying(again) as flow:
        await rekeyed(again, shop)
        assert lost(flow.metrics) == 6
    assert await numbers_taken(settings) == [*range(6), *range(12, 18)]


@pytest.mark.parametrize("choice", LostInput)
async def test_records_deleted_while_it_is_behind_end_it_or_are_counted(
    settings: Settings, shop: str, choice: LostInput
) -> None:
    chosen = settings.model_copy(update={"lost_input": choice})
    await publish(settings, shop, numbered_clicks(range(15)))
    await lose(settings, shop, 4)
    async with rekeying(chosen) as flow:
        await rekeyed(chosen, shop)
        # As far back as a process that is slower than the retention.
        await flow.app.consumer.seek(TP(shop, 0), 1)
        if choice is LostInput.REFUSE:
            with pytest.raises(LostInputError, match=r"begins at offset 4, .* before 1 was read: up to 3 records"):
                await asyncio.wait_for(flow.wait(), PATIENCE_S)
            return
        await publish(settings, shop, numbered_clicks(range(15, 18)))
        await rekeyed(chosen, shop)
        assert lost(flow.metrics) == 3
    # One record of the partition that was left is read a second time, with the same id.
    assert set(await numbers_taken(settings)) == set(range(12, 18))


async def test_a_partition_added_while_it_runs_is_read_from_its_first_record(settings: Settings, shop: str) -> None:
    latest = settings.model_copy(update={"start_from": "latest"})
    await publish(settings, shop, numbered_clicks(range(6)))
    async with rekeying(latest) as flow:
        await asked(settings, lambda admin: admin.create_partitions({shop: NewPartitions(5)}))
        await publish(settings, shop, numbered_clicks(range(6, 26)), partitions=5)
        # Of itself it hears of them within minutes.
        consumer: Any = flow.app.consumer._thread._ensure_consumer()
        flow.app.consumer._thread.thread_loop.call_soon_threadsafe(consumer._client.force_metadata_update)
        await rekeyed(latest, shop)
        assert flow.failed_with is None
    assert await numbers_taken(settings) == list(range(6, 26))


async def test_a_topic_deleted_while_it_runs_ends_it_with_its_name(settings: Settings, shop: str) -> None:
    # Nothing is counted, and its member, which cannot leave a topic that is gone, is waited for a session.
    brief = settings.model_copy(update={"session_timeout_s": 3.0})
    await publish(brief, shop, numbered_clicks(range(6)))
    async with rekeying(brief) as flow:
        await rekeyed(brief, shop)
        watching = asyncio.create_task(Monitor(flow).run())
        try:
            await asked(brief, lambda admin: admin.delete_topics([shop]))
            with pytest.raises(BrokerError, match=shop) as ended:
                await asyncio.wait_for(flow.wait(), PATIENCE_S)
            assert "\n" not in str(ended.value)
        finally:
            watching.cancel()
