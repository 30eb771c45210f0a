"""Where logs begin and end: transactions and deleted records on Apache Kafka, and a broker that goes in between."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from chaos.servers import BrokerBehindProxy
from support.logs import delete_before
from support.patience import PATIENCE_S
from support.servers.kafka import Kafka
from support.servers.proxy import Proxy

from streams.broker.connection import connection
from streams.broker.topics.log_ends import Bounds, LogEnds, high_watermarks, log_bounds
from streams.broker.topics.provisioning import make_topics
from streams.contract import CLICKS, REVIEWS, topic_name
from streams.exceptions import BrokerError, MissingLogError
from streams.settings import Settings, load_settings


@pytest.fixture
async def settings(kafka: Kafka) -> Settings:
    """Settings with topics of their own."""
    settings = load_settings(broker=kafka.url, partitions=1, topic_prefix=f"{uuid4().hex[:8]}-")
    await make_topics(settings)
    return settings


async def reached(settings: Settings, tp: TopicPartition, bounds: Bounds) -> None:
    """Wait for the marker of a transaction, which a broker writes after it has answered."""
    async with asyncio.timeout(PATIENCE_S):
        while await log_bounds(settings, [tp]) != {tp: bounds}:
            await asyncio.sleep(0.05)


async def test_an_open_transaction_ends_what_is_committed_before_the_end_of_the_log(settings: Settings) -> None:
    clicks = TopicPartition(topic_name(settings, CLICKS), 0)
    assert await log_bounds(settings, [clicks]) == {clicks: Bounds(0, 0, 0)}
    async with AIOKafkaProducer(**connection(settings), transactional_id=settings.topic_prefix) as producer:
        async with producer.transaction():
            await producer.send_and_wait(clicks.topic, b"v", partition=0)
        # One record, and the marker of the transaction.
        await reached(settings, clicks, Bounds(0, 2, 2))
        await producer.begin_transaction()
        await producer.send_and_wait(clicks.topic, b"v", partition=0)
        assert await log_bounds(settings, [clicks]) == {clicks: Bounds(0, 3, 2)}
        await producer.abort_transaction()
    await reached(settings, clicks, Bounds(0, 4, 4))
    assert await high_watermarks(settings, [clicks]) == {clicks: 4}


async def test_a_log_begins_at_the_first_record_that_is_not_deleted(settings: Settings) -> None:
    clicks = TopicPartition(topic_name(settings, CLICKS), 0)
    async with AIOKafkaProducer(**connection(settings)) as producer:
        for _ in range(5):
            await producer.send_and_wait(clicks.topic, b"v", partition=0)
    await delete_before(settings, {clicks: 3})
    assert await log_bounds(settings, [clicks]) == {clicks: Bounds(3, 5, 5)}
    await delete_before(settings, {clicks: 5})
    assert await log_bounds(settings, [clicks]) == {clicks: Bounds(5, 5, 5)}


async def test_a_broker_that_goes_before_it_has_told_its_topics_is_not_one_without_them() -> None:
    async with Proxy() as proxy:
        server = BrokerBehindProxy(proxy.port)
        proxy.upstream = server.port
        try:
            settings = load_settings(broker=f"kafka://127.0.0.1:{proxy.port}", partitions=1)
            await make_topics(settings)
            # An answer that no broker gives is waited for as long as this says.
            async with LogEnds(settings.model_copy(update={"request_timeout_s": 2.0})) as logs:
                await logs.bounds([TopicPartition(topic_name(settings, REVIEWS), 0)])
                await proxy.refuse()
                with pytest.raises(BrokerError) as refused:
                    await logs.bounds([TopicPartition(topic_name(settings, CLICKS), 0)])
        finally:
            server.stop()
    assert not isinstance(refused.value, MissingLogError), str(refused.value)
