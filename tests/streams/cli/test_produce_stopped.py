"""Publishing that stops half-way says what was published."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import MessageSizeTooLargeError
from support.command import write_lines
from support.servers.kafka import Kafka

from streams.broker.connection import connection
from streams.broker.topics.log_ends import high_watermarks
from streams.broker.topics.provisioning import make_topics
from streams.cli import produce
from streams.cli.main import main
from streams.contract import CLICKS, topic_name
from streams.operating.admission import FIRST_LINES
from streams.operating.feeder import CHUNK_LINES
from streams.settings import Settings, load_settings
from streams.sources.arrived import Arrived
from streams.sources.reading import read_sources

TOO_LARGE = {"topic": CLICKS, "value": {"event_id": "x", "user_id": "u1", "title": "t" * 200_000}}


@pytest.fixture
def settings(kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings with topics of their own, in the environment too."""
    prefix = f"{uuid4().hex[:8]}-"
    for name, value in (("BROKER", kafka.url), ("TOPIC_PREFIX", prefix), ("PARTITIONS", "2")):
        monkeypatch.setenv(f"WHEREWITHAL_{name}", value)
    settings = load_settings()
    asyncio.run(make_topics(settings))
    return settings


@pytest.fixture
def before(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have the topic of clicks take small batches only, once the first line is read; records it then holds."""
    held: list[int] = []

    def limited(*how: Any) -> Iterator[Arrived]:
        with ThreadPoolExecutor() as pool:
            pool.submit(asyncio.run, limit(settings)).result()
            held.append(pool.submit(published, settings).result())
        monkeypatch.setattr(produce, "read_sources", read_sources)
        yield from read_sources(*how)

    monkeypatch.setattr(produce, "read_sources", limited)
    return held


async def limit(settings: Settings) -> None:
    clicks = ConfigResource(ConfigResourceType.TOPIC, topic_name(settings, CLICKS), {"max.message.bytes": "100000"})
    admin = AIOKafkaAdminClient(**connection(settings))
    await admin.start()
    try:
        await admin.alter_configs([clicks])
    finally:
        await admin.close()
    async with AIOKafkaProducer(**connection(settings)) as producer:
        with suppress(MessageSizeTooLargeError):
            # The broker answers before it obeys.
            while True:
                await producer.send_and_wait(clicks.name, b"-" * 200_000, partition=0)


def published(settings: Settings) -> int:
    """How many records the broker holds."""
    partitions = [TopicPartition(topic_name(settings, CLICKS), number) for number in range(2)]
    return sum(asyncio.run(high_watermarks(settings, partitions)).values())


def clicks(count: int) -> list[object]:
    return [{"topic": CLICKS, "value": {"event_id": f"{n}", "user_id": f"u{n % 7}"}} for n in range(count)]


def test_a_line_that_is_too_large_ends_it_with_what_was_published_and_where_it_stands(
    settings: Settings, before: list[int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = write_lines(tmp_path / "first.ndjson", clicks(10))
    lines = clicks(CHUNK_LINES + 100)
    second = write_lines(tmp_path / "second.ndjson", [*lines[:-20], TOO_LARGE, *lines[-20:]])
    assert main(["produce", "--max-refused", "1", str(first), str(second)]) == 1
    line = capsys.readouterr().err
    name = topic_name(settings, CLICKS)
    assert line.startswith(f"wherewithal produce: {name}-")
    assert "expected a topic that takes what it is sent, found" in line
    assert "raise max.message.bytes of the topic" in line
    taken = published(settings) - before[0]
    assert 10 + CHUNK_LINES <= taken < 10 + len(lines)
    assert f"; {taken:,} lines were published, all up to line {CHUNK_LINES} of {second} among them" in line
    assert line.count("\n") == 1


def test_a_first_line_that_cannot_be_published_claims_nothing_of_its_file(
    settings: Settings, before: list[int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_lines(tmp_path / "events.ndjson", [TOO_LARGE])
    assert main(["produce", "--max-refused", "1", str(file)]) == 1
    assert f"; 0 lines were published, all of what comes before {file} among them" in capsys.readouterr().err
    assert published(settings) == before[0]


def test_an_interruption_tells_what_was_published_too(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = FIRST_LINES + CHUNK_LINES
    file = write_lines(tmp_path / "events.ndjson", clicks(taken + 1))

    def interrupted(*how: Any) -> Iterator[Arrived]:
        yield from read_sources(*how)
        raise KeyboardInterrupt

    monkeypatch.setattr(produce, "read_sources", interrupted)
    assert main(["produce", "--max-refused", "1", str(file)]) == 130
    line = capsys.readouterr().err
    assert line.startswith(
        f"wherewithal produce: interrupted; {taken:,} lines were published, all up to line {taken:,} of {file}"
    )
    assert published(settings) == taken
