"""Producers upstream that write in transactions, on Apache Kafka: what they take back is never counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import orjson
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from support.encoders import HashEncoder
from support.patience import PATIENCE_S
from support.runs import quick_settings, run_flow, work
from support.servers.kafka import Kafka
from support.shoppers import BASE, encoded

from streams.broker.connection import connection
from streams.broker.reading import read_topic
from streams.broker.topics.log_ends import high_watermarks, log_bounds
from streams.broker.topics.provisioning import make_topics
from streams.contract import CLICKS, changelog_name, topic_name
from streams.settings import Settings
from streams.worker.flow import Flow

SHOPPERS = [f"shopper{number}" for number in range(20)]


@pytest.fixture
async def settings(kafka: Kafka, tmp_path: Path) -> Settings:
    """Settings with topics of their own, of one partition."""
    settings = quick_settings(tmp_path, broker=kafka.url, topic_prefix=f"{uuid4().hex[:8]}-", partitions=1)
    await make_topics(settings)
    return settings


@asynccontextmanager
async def transactions(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    """Yield a producer that writes in transactions."""
    async with AIOKafkaProducer(**connection(settings), transactional_id=settings.topic_prefix) as producer:
        yield producer


async def decided(settings: Settings, name: str) -> None:
    """Wait until the broker has ended every transaction in a log: it answers who ends one before it has."""
    log = TopicPartition(name, 0)
    async with asyncio.timeout(PATIENCE_S):
        while (bounds := (await log_bounds(settings, [log]))[log]).stable < bounds.end:
            await asyncio.sleep(0.02)


def purchase(shopper: str, number: int, price: float) -> dict[str, object]:
    event_id = f"{shopper}-{number}-{price:g}"
    return {
        **{"event_id": event_id, "user_id": shopper, "item_id": "i", "action": "purchase"},
        **{"price": price, "timestamp": BASE + number},
    }


async def buy(producer: AIOKafkaProducer, settings: Settings, number: int, price: float) -> None:
    """Have every shopper buy one thing."""
    for shopper in SHOPPERS:
        value = orjson.dumps(purchase(shopper, number, price))
        await producer.send_and_wait(topic_name(settings, CLICKS), value, key=shopper.encode(), partition=0)


async def test_purchases_of_aborted_transactions_are_not_counted(settings: Settings) -> None:
    async with transactions(settings) as producer:
        for number in range(5):
            async with producer.transaction():
                await buy(producer, settings, number, 10.0)
            if number % 2 == 0:
                await producer.begin_transaction()
                await buy(producer, settings, number, 1000.0)
                await producer.abort_transaction()
    # The lines come after all of that, so that what is drained has passed it.
    run = await run_flow(settings, encoded([{"topic": CLICKS, "value": purchase("last", 9, 1.0)}]))
    assert {user: row["spend_30d"] for user, row in run.features.items()} == dict.fromkeys(SHOPPERS, 50.0) | {
        "last": 1.0
    }
    assert not run.letters


@pytest.mark.parametrize("aborted", [False, True])
async def test_a_topic_is_read_as_far_as_it_is_committed(settings: Settings, aborted: bool) -> None:
    name = topic_name(settings, CLICKS)

    async def values() -> list[bytes | None]:
        return [record.value async for records in read_topic(settings, name) for record in records]

    async with transactions(settings) as producer:
        async with producer.transaction():
            await producer.send_and_wait(name, b"committed", partition=0)
        await producer.begin_transaction()
        await producer.send_and_wait(name, b"undecided", partition=0)
        async with AIOKafkaProducer(**connection(settings)) as other:
            await other.send_and_wait(name, b"behind", partition=0)
        assert await values() == [b"committed"]
        await (producer.abort_transaction() if aborted else producer.commit_transaction())
    await decided(settings, name)
    assert await values() == ([b"committed", b"behind"] if aborted else [b"committed", b"undecided", b"behind"])


async def test_a_changelog_that_ends_in_a_marker_is_recovered(settings: Settings) -> None:
    """As one does that was restored by a tool which writes in transactions."""
    lines = [{"topic": CLICKS, "value": purchase(shopper, 1, 10.0)} for shopper in SHOPPERS]
    async with Flow(settings, encoder=HashEncoder()) as flow:
        await work(flow, lines)
    name = changelog_name(settings)
    last = [record async for records in read_topic(settings, name) for record in records if record.value][-1]
    async with transactions(settings) as producer, producer.transaction():
        await producer.send_and_wait(name, last.value, key=last.key, partition=0)
    await decided(settings, name)
    async with Flow(settings, encoder=HashEncoder()) as flow:
        assert flow.engine.held.progress()[0].offset == last.offset + 2
        await work(flow, [{"topic": CLICKS, "value": purchase(shopper, 2, 10.0)} for shopper in SHOPPERS])
        ends = await high_watermarks(settings, [TopicPartition(name, 0)])
        assert flow.engine.held.progress()[0].offset == ends[TopicPartition(name, 0)] - 1
