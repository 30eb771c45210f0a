"""Every codec of Kafka's producers and topics is read, on Apache Kafka: inputs, and what a worker keeps there."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import uuid4

import orjson
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from support.runs import Run, quick_settings, run_flow
from support.servers.kafka import Kafka
from support.shoppers import BASE, encoded

from streams.broker.connection import connection
from streams.broker.topics.log_ends import high_watermarks
from streams.broker.topics.provisioning import make_topics
from streams.contract import CLICKS, TOPICS, changelog_name, topic_name
from streams.settings import Settings, StateStore

DYNAMIC_TOPIC_CONFIG = 1
"""The source that Kafka names of a value that was set for the topic."""

CODECS = ("gzip", "snappy", "lz4", "zstd")
SHOPPERS = [f"shopper{number}" for number in range(30)]


@pytest.fixture
async def settings(kafka: Kafka, tmp_path: Path) -> Settings:
    """Settings with topics of their own, of one partition."""
    settings = quick_settings(tmp_path, broker=kafka.url, topic_prefix=f"{uuid4().hex[:8]}-", partitions=1)
    await make_topics(settings)
    return settings


def purchase(shopper: str, number: int) -> dict[str, object]:
    event_id = f"{shopper}-{number}"
    return {
        **{"event_id": event_id, "user_id": shopper, "item_id": "i", "action": "purchase"},
        **{"price": 10.0, "timestamp": BASE + number},
    }


async def buy(settings: Settings, number: int, codec: str | None) -> None:
    """Have every shopper buy one thing, in batches of a codec."""
    clicks = topic_name(settings, CLICKS)
    async with AIOKafkaProducer(**connection(settings), compression_type=codec, linger_ms=50) as producer:
        sent = [
            await producer.send(clicks, orjson.dumps(purchase(shopper, number)), key=shopper.encode(), partition=0)
            for shopper in SHOPPERS
        ]
        await asyncio.gather(*sent)


async def drained(settings: Settings, number: int) -> Run:
    """Run a worker over what is there and one line behind it."""
    return await run_flow(settings, encoded([{"topic": CLICKS, "value": purchase("last", number)}]))


def spent(run: Run) -> dict[str, float]:
    return {user: row["spend_30d"] for user, row in run.features.items() if user != "last"}


async def test_inputs_of_every_codec_are_applied(settings: Settings) -> None:
    for number, codec in enumerate(CODECS):
        await buy(settings, number, codec)
    ends = await high_watermarks(settings, [TopicPartition(topic_name(settings, CLICKS), 0)])
    assert list(ends.values()) == [len(CODECS) * len(SHOPPERS)]
    run = await drained(settings, 0)
    assert spent(run) == dict.fromkeys(SHOPPERS, 10.0 * len(CODECS))
    assert not run.letters


@pytest.mark.parametrize("codec", CODECS)
async def test_topics_that_compress_are_read_and_recovered_from(settings: Settings, codec: str) -> None:
    names = [*(topic_name(settings, topic) for topic in TOPICS), changelog_name(settings)]
    admin = AIOKafkaAdminClient(**connection(settings))
    await admin.start()
    try:
        answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
        # What is left out falls back to its default.
        chosen = {
            name: {entry[0]: entry[1] for entry in entries if entry[3] == DYNAMIC_TOPIC_CONFIG}
            for answer in answers
            for _, _, _, name, entries in answer.resources
        }
        await admin.alter_configs(
            [
                ConfigResource(ConfigResourceType.TOPIC, name, configs | {"compression.type": codec})
                for name, configs in chosen.items()
            ]
        )
    finally:
        await admin.close()
    await buy(settings, 0, None)
    assert spent(await drained(settings, 0)) == dict.fromkeys(SHOPPERS, 10.0)
    # A folder of its own is an empty one: the changelog is all that is known of the first purchases.
    again = settings.model_copy(
        update={
            "state_store": StateStore.ROCKSDB,
            "state_dir": settings.state_dir / codec,
            "online_store": settings.online_url,
        }
    )
    await buy(settings, 1, None)
    run = await drained(again, 1)
    assert spent(run) == dict.fromkeys(SHOPPERS, 20.0)
    assert set(run.scores) == {*SHOPPERS, "last"}
