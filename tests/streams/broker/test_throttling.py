"""Client quotas on Apache Kafka: a worker that is throttled is slow, and neither failing nor stalled."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import orjson
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaTimeoutError
from faust.types import TP
from support.encoders import HashEncoder
from support.patience import PATIENCE_S
from support.runs import quick_settings
from support.servers.kafka import Kafka, kafka_libraries

from streams.broker.publisher import Publisher
from streams.broker.throttling import Throttle
from streams.broker.topics.provisioning import make_topics
from streams.contract import CLICKS, SCORES, topic_name
from streams.records.outgoing import Outgoing
from streams.settings import Settings
from streams.telemetry.metrics import Metrics
from streams.worker.flow import Flow
from streams.worker.monitor import Monitor

BASE = 1_764_000_000_000
QUOTA = 50_000
BATCH_BYTES = 150_000
"""Takes the broker's patience for (150,000 - 50,000) / 50,000 = 2 windows of a second."""

REQUEST_TIMEOUT_S = 1.0

ATTEMPTS = 3
"""A node that is kept from its work for longer than the timeout leaves an answer out for another reason."""


@pytest.fixture(scope="module")
def throttling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A node that gives any client 50 kB/s, measured over a second."""
    kafka_libraries()
    window = {"quota.window.num": 2, "quota.window.size.seconds": 1, "auto.create.topics.enable": "false"}
    with Kafka(tmp_path_factory.mktemp("throttling"), properties=window) as kafka:
        kafka.tool(
            "kafka.admin.ConfigCommand",
            *("--bootstrap-server", kafka.servers[0], "--alter", "--entity-type", "clients", "--entity-default"),
            *("--add-config", f"producer_byte_rate={QUOTA}"),
        )
        yield kafka


async def offsets_of_large_batches(publisher: Publisher, settings: Settings) -> list[int]:
    """Where four batches lie of a publisher that is not started yet; fewer if one was not acknowledged in time."""
    offsets: list[int] = []
    await publisher.start()
    try:
        records = [Outgoing(b"u", b"s" * BATCH_BYTES)]
        with suppress(KafkaTimeoutError):
            sent = [await publisher.send(topic_name(settings, SCORES), 0, records) for _ in range(4)]
            for one in sent:
                offsets.append((await one.acknowledged()).last)
    finally:
        await publisher.stop()
    return offsets


async def test_a_producer_waits_as_long_as_the_broker_asks_beyond_its_own_timeout(
    throttling: Kafka, tmp_path: Path
) -> None:
    for attempt in range(ATTEMPTS):
        settings = quick_settings(tmp_path, broker=throttling.url, topic_prefix=f"producer-{attempt}-", partitions=1)
        await make_topics(settings)
        metrics = Metrics()
        hasty = settings.model_copy(update={"request_timeout_s": REQUEST_TIMEOUT_S})
        offsets = await offsets_of_large_batches(Publisher(hasty, throttle=Throttle(metrics)), settings)
        if offsets == [0, 1, 2, 3]:
            break
    assert offsets == [0, 1, 2, 3], "each batch was sent once"
    waited = metrics.registry.get_sample_value("wherewithal_throttled_seconds_total")
    assert waited is not None
    assert waited > 2 * REQUEST_TIMEOUT_S


async def test_a_worker_that_a_quota_throttles_goes_on_and_is_not_taken_for_stalled(
    throttling: Kafka, tmp_path: Path
) -> None:
    settings = quick_settings(tmp_path, broker=throttling.url, topic_prefix="worker-", partitions=1)
    await make_topics(settings)
    settings = settings.model_copy(update={"request_timeout_s": REQUEST_TIMEOUT_S})
    users = 1000
    clicks = TP(topic_name(settings, CLICKS), 0)
    producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers, compression_type="gzip")
    await producer.start()
    try:
        for number in range(users):
            event = {"event_id": "c", "user_id": f"u{number}", "item_id": "i", "action": "view", "timestamp": BASE}
            await producer.send(clicks.topic, orjson.dumps(event), key=f"u{number}".encode(), partition=0)
    finally:
        await producer.stop()
    async with Flow(settings, encoder=HashEncoder()) as flow:
        monitor = Monitor(flow, stall_s=REQUEST_TIMEOUT_S)
        watching = asyncio.create_task(monitor.run())
        try:
            async with asyncio.timeout(PATIENCE_S):
                while flow.app.consumer.settled_position(clicks) < users and flow.failed_with is None:
                    await asyncio.sleep(0.1)
            assert flow.failed_with is None
            assert monitor.live() is None
        finally:
            watching.cancel()
        waited = flow.metrics.registry.get_sample_value("wherewithal_throttled_seconds_total")
    assert waited is not None
    assert waited > REQUEST_TIMEOUT_S
