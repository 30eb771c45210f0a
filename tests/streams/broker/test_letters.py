"""Dead letters that their topic does not take as they are, on Apache Kafka and on the embedded broker."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from support.encoders import HashEncoder
from support.runs import quick_settings
from support.servers.kafka import Kafka

from streams.broker.connection import connection
from streams.broker.letters import CUTS, Letters
from streams.broker.publisher import Publisher
from streams.broker.reading import read_topic
from streams.broker.refusals import RecordRefusedError
from streams.broker.topics.log_ends import high_watermarks
from streams.broker.topics.provisioning import make_topics
from streams.contract import CLICKS, DEAD_LETTERS, SCORES, topic_name
from streams.exceptions import BrokerError
from streams.operating.drain import Drain
from streams.operating.read_back import dead_letters
from streams.operating.redriving.letters import Choice, Standing
from streams.operating.redriving.redrive import Redrive
from streams.records.outgoing import Outgoing
from streams.records.rejection import Reason, Rejection
from streams.settings import MAX_TOPIC_BYTES, Settings
from streams.telemetry.metrics import Metrics
from streams.telemetry.tally import Fate
from streams.worker.flow import Flow

BASE = 1_764_000_000_000
KEY = b"u"
LIMIT = 1_048_588
"""`max.message.bytes` of a topic made without a word on it."""


def click(number: int, **fields: Any) -> bytes:
    event = {"event_id": f"c{number}", "user_id": "u", "item_id": "i", "action": "view", "timestamp": BASE}
    return orjson.dumps(event | fields)


async def make(settings: Settings, topics: Mapping[str, Mapping[str, str]]) -> None:
    """Make topics of one partition elsewhere, by their names in the contract, with these settings of their own."""
    admin = AIOKafkaAdminClient(**connection(settings))
    await admin.start()
    try:
        new = [NewTopic(topic_name(settings, name), 1, 1, topic_configs=dict(own)) for name, own in topics.items()]
        await admin.create_topics(new)
    finally:
        await admin.close()


@asynccontextmanager
async def producing(settings: Settings, **options: Any) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap_servers, max_request_size=1 << 30, max_batch_size=1 << 30, **options
    )
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


@asynccontextmanager
async def publishing(settings: Settings) -> AsyncIterator[Publisher]:
    publisher = Publisher(settings)
    await publisher.start()
    try:
        yield publisher
    finally:
        await publisher.stop()


async def settle(flow: Flow) -> None:
    """Wait until all that the clicks hold is acknowledged."""
    clicks = TopicPartition(topic_name(flow.settings, CLICKS), 0)
    end = (await high_watermarks(flow.settings, [clicks]))[clicks]
    drained = asyncio.ensure_future(Drain(flow, 10).drained({(CLICKS, 0): end}))
    await asyncio.wait({drained, flow.failed}, return_when=asyncio.FIRST_COMPLETED)
    assert flow.failed_with is None
    await drained


async def test_letters_that_a_topic_of_default_size_does_not_take_are_cut_and_their_neighbours_are_whole(
    kafka: Kafka, tmp_path: Path
) -> None:
    settings = quick_settings(tmp_path, broker=kafka.url, topic_prefix="cut-", partitions=1)
    await make(settings, {CLICKS: {}, DEAD_LETTERS: {}})
    await make_topics(settings)
    packed = click(0, note="x" * (12 << 20))
    # As large as the topic takes: a batch of one record has 61 bytes of its own and up to 21 of the record's.
    full = b"{" + b"x" * (LIMIT - 61 - 21 - len(KEY) - 4)
    name = topic_name(settings, CLICKS)
    async with producing(settings, compression_type="gzip") as producer:
        await producer.send_and_wait(name, packed, key=KEY, partition=0)
    async with producing(settings) as producer:
        for value in (b"bad", full, b"bad too", click(1)):
            await producer.send_and_wait(name, value, key=KEY, partition=0)
    async with Flow(settings, encoder=HashEncoder()) as flow:
        await settle(flow)
        assert flow.tally.fates == {Fate.DEAD_LETTER: 4, Fate.APPLIED: 1}
        assert flow.metrics.registry.get_sample_value("wherewithal_dead_letters_cut_total") == 2
    letters = {letter["offset"]: letter for letter in await dead_letters(settings)}
    places = {offset: (one["topic"], one["partition"], one["key"], one["reason"]) for offset, one in letters.items()}
    assert places == {
        0: (CLICKS, 0, "u", "too_large"),
        1: (CLICKS, 0, "u", "malformed"),
        2: (CLICKS, 0, "u", "malformed"),
        3: (CLICKS, 0, "u", "malformed"),
    }
    assert {offset: one.get("truncated") for offset, one in letters.items()} == {
        0: len(packed),
        1: None,
        2: len(full),
        3: None,
    }
    assert letters[0]["raw"].encode() == packed[: CUTS[0]]
    assert letters[2]["raw"].encode() == full[: CUTS[0]]
    assert (letters[1]["raw"], letters[3]["raw"]) == ("bad", "bad too")


async def test_a_letter_larger_than_any_topic_of_ours_takes_is_cut_without_asking(tmp_path: Path) -> None:
    async with Flow(quick_settings(tmp_path, partitions=1), encoder=HashEncoder()) as flow:
        large, most = click(0, note="x" * MAX_TOPIC_BYTES), b"{" + b"x" * (MAX_TOPIC_BYTES - 1 - len(KEY))
        async with producing(flow.settings, compression_type="gzip") as producer:
            for value in (large, most, click(1)):
                await producer.send_and_wait(topic_name(flow.settings, CLICKS), value, key=KEY, partition=0)
        await settle(flow)
        assert flow.tally.fates == {Fate.DEAD_LETTER: 2, Fate.APPLIED: 1}
        found = {letter["offset"]: letter for letter in await dead_letters(flow.settings)}
    assert (found[0]["truncated"], len(found[0]["raw"])) == (len(large), CUTS[0])
    assert "truncated" not in found[1]
    assert found[1]["raw"].encode() == most


@pytest.mark.parametrize(
    ("topic", "key", "kept"),
    [
        ({"max.message.bytes": "3000"}, b"k" * 2000, 1 << 10),
        ({"max.message.bytes": "600"}, b"k" * 2000, 0),
        ({"max.message.bytes": "100"}, b"k", None),
        ({"cleanup.policy": "compact"}, None, None),
    ],
    ids=["small", "smaller", "hopeless", "takes none without a key"],
)
async def test_no_refusal_of_the_topic_is_an_error(
    kafka: Kafka, tmp_path: Path, topic: dict[str, str], key: bytes | None, kept: int | None
) -> None:
    prefix = f"refusal-{kept}-{len(topic)}-{'none' if key is None else len(key)}-"
    settings = quick_settings(tmp_path, broker=kafka.url, topic_prefix=prefix)
    await make(settings, {DEAD_LETTERS: topic})
    metrics = Metrics()
    async with publishing(settings) as publisher:
        letters = Letters(publisher, topic_name(settings, DEAD_LETTERS), metrics)
        letter = await letters.post((CLICKS, 7, 11), key, b"v" * 5000, Rejection(Reason.MALFORMED, "record: bad"), 0)
        await letter.acknowledged()
    written = [record async for batch in read_topic(settings, topic_name(settings, DEAD_LETTERS)) for record in batch]
    refused = metrics.registry.get_sample_value("wherewithal_dead_letters_refused_total")
    if kept is None:
        assert (written, refused) == ([], 1)
        return
    assert refused == 0
    (record,) = written
    assert key is not None
    assert (record.key, record.value) == (key[:kept], b"v" * kept)
    assert dict(record.headers) == {
        "reason": b"malformed",
        "detail": b"record: bad",
        "topic": b"clicks",
        "partition": b"7",
        "offset": b"11",
        "truncated": b"5000",
        "truncated_key": b"2000",
    }


async def test_a_cut_letter_is_not_redriven_and_one_that_its_topic_refuses_stops_no_other(
    kafka: Kafka, tmp_path: Path
) -> None:
    settings = quick_settings(tmp_path, broker=kafka.url, topic_prefix="redriven-", partitions=1)
    await make(settings, {CLICKS: {}})
    await make_topics(settings)
    bad = Rejection(Reason.MALFORMED, "record: bad")
    async with publishing(settings) as publisher:
        letters = Letters(publisher, topic_name(settings, DEAD_LETTERS))
        for offset, value in enumerate((b"v" * (9 << 20), b"v" * (2 << 20), click(1))):
            await (await letters.post((CLICKS, 0, offset), KEY, value, bad, 0)).acknowledged()
    redrive = Redrive(settings)
    await redrive.survey(Choice())
    await redrive.send()
    standings = {letter.record[2]: letter.standing for letter in redrive.letters}
    assert standings == {0: Standing.TRUNCATED, 1: Standing.REFUSED, 2: Standing.SENT}
    assert [letter.as_dict()["truncated"] for letter in redrive.letters] == [9 << 20, None, None]
    sent = [record.value async for batch in read_topic(settings, topic_name(settings, CLICKS)) for record in batch]
    assert sent == [click(1)]
    again = Redrive(settings)
    await again.survey(Choice())
    assert Counter(letter.standing for letter in again.letters) == {
        Standing.TRUNCATED: 1,
        Standing.TO_SEND: 1,
        Standing.SENT_BEFORE: 1,
    }


async def test_a_refused_record_of_another_topic_is_one_line_that_names_place_and_size(
    kafka: Kafka, tmp_path: Path
) -> None:
    settings = quick_settings(tmp_path, broker=kafka.url, topic_prefix="score-", partitions=1)
    await make(settings, {SCORES: {"max.message.bytes": "1000"}})
    async with publishing(settings) as publisher:
        score = Outgoing(b"u", b"s" * 600)
        lone = await publisher.send("score-purchasing-power", 0, [score])
        both = await publisher.send("score-purchasing-power", 0, [score, score])
        last = [await publisher.send("score-purchasing-power", 0, [score]) for _ in range(3)]
        # Those behind it are taken, whether or not the broker numbers what a producer sends.
        assert [(await sent.acknowledged()).last for sent in (lone, *last)] == [0, 1, 2, 3]
        with pytest.raises(RecordRefusedError) as refused:
            await both.acknowledged()
    assert isinstance(refused.value, BrokerError)
    line = str(refused.value)
    assert line.startswith("score-purchasing-power-0: ")
    assert "a batch of 2 records of 12" in line
    assert "max.message.bytes" in line
    assert "\n" not in line
