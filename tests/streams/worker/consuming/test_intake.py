"""What a worker holds is bounded in bytes: what it takes in, and what a compressed batch unpacks to."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st
from support.encoders import HashEncoder, SwitchableEncoder
from support.patience import PATIENCE_S
from support.runs import quick_settings
from support.servers.kafka import Kafka

from streams.broker.connection import new_consumer
from streams.broker.embedded import EmbeddedBroker
from streams.broker.topics.provisioning import make_topics
from streams.broker.unpacking import BoundedRecords
from streams.contract import CLICKS, INPUTS, REVIEWS, topic_name
from streams.operating.read_back import dead_letters
from streams.records.withheld import Why, Withheld
from streams.settings import Settings, load_settings
from streams.telemetry.tally import Fate
from streams.worker.consuming.intake import RECORD_BYTES, share_of_changelog, share_of_partition, take, weigh
from streams.worker.consuming.ledger import Ledger
from streams.worker.flow import Flow

BASE = 1_764_000_000_000
PAD = "x" * 100_000
GZIP, SNAPPY, LZ4, ZSTD = CODECS = (1, 2, 3, 4)
NAMES = {GZIP: "gzip", SNAPPY: "snappy", LZ4: "lz4", ZSTD: "zstd"}
MIB = 1 << 20


def click(number: int, **fields: Any) -> bytes:
    event = {"event_id": f"c{number}", "user_id": "u", "item_id": "i", "action": "view", "timestamp": BASE}
    return orjson.dumps(event | fields)


def review(number: int, text: str) -> bytes:
    event = {"event_id": f"r{number}", "user_id": "u", "item_id": "i", "rating": 4, "timestamp": BASE}
    return orjson.dumps(event | {"text": text, "category": PAD})


def packed(codec: int, values: list[bytes]) -> bytes:
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, 0, 1 << 30)
    for offset, value in enumerate(values):
        builder.append(offset, BASE, b"u", value, [])
    return bytes(builder.build())


def unpacked(batch: bytes, most: int) -> list[Any]:
    records = BoundedRecords(MemoryRecords(batch), most)
    return [
        record for one in iter(lambda: records.next_batch() if records.has_next() else None, None) for record in one
    ]


async def until(condition: Any) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.02)


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


@pytest.mark.parametrize("codec", CODECS, ids=NAMES.values())
def test_a_batch_within_the_bound_is_unpacked_and_a_larger_one_is_withheld(codec: int) -> None:
    values = [b"%d" % number + b"v" * 1000 for number in range(500)]
    batch = packed(codec, values)
    size = sum(map(len, values)) + 20 * len(values)
    assert [record.value for record in unpacked(batch, size)] == values
    withheld = unpacked(batch, size // 2)
    assert [record.offset for record in withheld] == list(range(500))
    assert {type(record.value) for record in withheld} == {Withheld}
    assert {(record.key, record.value, record.value.why) for record in withheld} == {(None, b"", Why.TOO_LARGE)}
    assert [record.value for record in MemoryRecords(batch).next_batch() or ()] == values, "others read as before"


@pytest.mark.parametrize("codec", CODECS, ids=NAMES.values())
def test_a_batch_that_cannot_be_unpacked_is_withheld(codec: int) -> None:
    batch = bytearray(packed(codec, [os.urandom(100), os.urandom(100)]))
    # Behind the header of the batch; to Snappy it says that 16 bytes follow, and what follows is none of its codes.
    batch[61:] = b"\x10" + b"\xff" * (len(batch) - 62)
    withheld = unpacked(bytes(batch), MIB)
    assert [(record.offset, record.value.why) for record in withheld] == [(0, Why.UNREADABLE), (1, Why.UNREADABLE)]


def test_from_a_header_on_whose_name_is_no_text_a_batch_is_withheld() -> None:
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 1 << 30)
    for offset, headers in enumerate(([("kept", None)], [("HEADER", b"v")], [])):
        builder.append(offset, BASE, b"u", b"v", headers)
    batch = bytes(builder.build()).replace(b"HEADER", b"HEA\xff\xfeR")
    read, *withheld = unpacked(batch, MIB)
    assert (read.offset, read.value) == (0, b"v")
    assert [(record.offset, record.value.why) for record in withheld] == [(1, Why.UNREADABLE), (2, Why.UNREADABLE)]


@given(st.binary(max_size=200))
def test_whatever_a_batch_holds_it_is_read_or_withheld(payload: bytes) -> None:
    for codec in (0, *CODECS):
        header = bytearray(packed(codec, [b"v"])[:61])
        struct.pack_into(">i", header, 8, 49 + len(payload))
        records = unpacked(bytes(header) + payload, MIB)
        assert len(records) == 1


def test_two_members_of_a_gzip_stream_count_together() -> None:
    import gzip

    whole = packed(0, [b"v" * 1000, b"w" * 1000])[61:]
    header = bytearray(packed(GZIP, [b"v" * 1000, b"w" * 1000])[:61])
    payload = gzip.compress(whole[:900]) + gzip.compress(whole[900:])
    struct.pack_into(">i", header, 8, 49 + len(payload))
    batch = bytes(header) + payload
    assert [record.value[:1] for record in unpacked(batch, len(whole))] == [b"v", b"w"]
    assert {record.value.why for record in unpacked(batch, len(whole) - 1)} == {Why.TOO_LARGE}


@pytest.mark.parametrize("codec", CODECS, ids=NAMES.values())
async def test_records_of_a_batch_that_unpacks_to_too_much_are_dead_letters_and_the_next_is_read(
    kafka: Kafka, tmp_path: Path, codec: int
) -> None:
    settings = quick_settings(
        tmp_path, broker=kafka.url, topic_prefix=f"bomb-{codec}-", partitions=1, unpacked_batch_bytes=MIB
    )
    await make_topics(settings)
    name = topic_name(settings, CLICKS)
    async with producing(settings, compression_type=NAMES[codec], linger_ms=500) as producer:
        bomb = [await producer.send(name, click(0, note="x" * 900_000), key=b"u", partition=0) for _ in range(3)]
        await asyncio.gather(*bomb)
    async with producing(settings, compression_type=NAMES[codec]) as producer:
        await producer.send_and_wait(name, click(1), key=b"u", partition=0)
    async with Flow(settings, encoder=HashEncoder()) as flow:
        await until(lambda: flow.failed_with or flow.app.consumer.settled_position(TP(name, 0)) == 4)
        assert flow.failed_with is None
        assert flow.tally.fates == {Fate.DEAD_LETTER: 3, Fate.APPLIED: 1}
    letters = await dead_letters(settings)
    assert [(one["reason"], one["offset"], one["key"], one["raw"]) for one in letters] == [
        ("too_large", offset, None, "") for offset in range(3)
    ]
    assert {letter["truncated"] for letter in letters} == {-1}


async def test_records_in_hand_are_bounded_in_bytes_while_nothing_is_acknowledged(tmp_path: Path) -> None:
    store = tmp_path / "online.db"
    settings = quick_settings(
        tmp_path, partitions=1, online_store=f"sqlite:///{store}", partition_unacknowledged_bytes=2 * MIB
    )
    async with Flow(settings, encoder=HashEncoder()) as flow:
        clicks = TP(topic_name(flow.settings, CLICKS), 0)
        async with producing(flow.settings) as producer:
            await producer.send_and_wait(clicks.topic, click(0), key=b"u", partition=0)
            await until(lambda: flow.app.consumer.settled_position(clicks) == 1)
            lock = sqlite3.connect(store, isolation_level=None)
            lock.execute("BEGIN IMMEDIATE")
            sent = [
                await producer.send(clicks.topic, click(number, note=PAD), key=b"u", partition=0)
                for number in range(1, 201)
            ]
            await asyncio.gather(*sent)
        ledger = flow.app.consumer.ledgers[clicks]
        await until(lambda: ledger.pending_bytes >= 2 * MIB)
        await until(lambda: flow.tally.fates[Fate.APPLIED] == ledger.delivered + 1)
        # Two rounds of the intake, in which it would take more.
        await asyncio.sleep(0.1)
        assert 2 * MIB <= ledger.pending_bytes < 2 * MIB + 101_000
        assert ledger.pending < 25
        lock.execute("ROLLBACK")
        lock.close()
        await until(lambda: flow.app.consumer.settled_position(clicks) == 201)
        assert (ledger.pending, ledger.pending_bytes) == (0, 0)


async def test_texts_that_wait_for_the_encoder_leave_clicks_their_room(tmp_path: Path) -> None:
    encoder = SwitchableEncoder()
    # Of which every partition has 200 kB: room for two of these records.
    settings = quick_settings(tmp_path, partitions=1, unacknowledged_bytes=len(INPUTS) * 200_000)
    async with Flow(settings, encoder=encoder) as flow:
        reviews, clicks = (TP(topic_name(flow.settings, topic), 0) for topic in (REVIEWS, CLICKS))
        encoder.broken = True
        async with producing(flow.settings) as producer:
            for number in range(20):
                await producer.send_and_wait(reviews.topic, review(number, f"text {number}"), key=b"u", partition=0)
            await until(lambda: flow.app.consumer.ledgers[reviews].pending_bytes >= 200_000)
            for number in range(20):
                await producer.send_and_wait(clicks.topic, click(number, note=PAD), key=b"u", partition=0)
        await until(lambda: flow.app.consumer.settled_position(clicks) == 20)
        assert flow.app.consumer.ledgers[reviews].pending < 4
        encoder.broken = False
        await until(lambda: flow.app.consumer.settled_position(reviews) == 20)


async def test_what_is_taken_of_a_partition_ends_with_its_room_and_nothing_is_left_out(tmp_path: Path) -> None:
    with EmbeddedBroker() as broker:
        settings = quick_settings(tmp_path, broker=broker.url, partitions=1)
        await make_topics(settings)
        async with producing(settings) as producer:
            for number in range(30):
                await producer.send_and_wait(CLICKS, click(number, note=PAD), key=b"u", partition=0)
        tp = TopicPartition(CLICKS, 0)
        consumer: AIOKafkaConsumer = new_consumer(settings)
        await consumer.start()
        try:
            consumer.assign([tp])
            consumer.seek(tp, 0)
            taken = []
            async with asyncio.timeout(PATIENCE_S):
                while len(taken) < 30:
                    records = (await take(consumer._fetcher, {tp: 250_000}, 1000, MIB, timeout=1.0)).get(tp, [])
                    assert len(records) <= 3
                    taken += records
            assert [record.offset for record in taken] == list(range(30))
            consumer.seek(tp, 0)
            async with asyncio.timeout(PATIENCE_S):
                while not (records := await take(consumer._fetcher, {tp: 1}, 1000, MIB, timeout=1.0)):
                    pass
            assert [record.offset for record in records[tp]] == [0], "one record always fits"
            assert await take(consumer._fetcher, {}, 1000, MIB, timeout=0) == {}, "none of a partition without room"
        finally:
            await consumer.stop()


async def test_recovery_holds_a_few_batches_of_the_changelog_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from streams.worker.state.state_table import StateTable

    held: list[int] = []
    take_in = StateTable.take_in

    def watch(table: StateTable, message: Any) -> None:
        held.append(table.app.tables.changelog_queue.qsize() + 1)
        take_in(table, message)

    monkeypatch.setattr(StateTable, "take_in", watch)
    with EmbeddedBroker() as broker:
        settings = quick_settings(tmp_path, broker=broker.url, partitions=1, batch_records=5)
        async with Flow(settings, encoder=HashEncoder()) as flow:
            async with producing(settings) as producer:
                for number in range(200):
                    event = click(number, user_id=f"u{number}")
                    await producer.send_and_wait(CLICKS, event, key=f"u{number}".encode(), partition=0)
            await until(lambda: flow.app.consumer.settled_position(TP(CLICKS, 0)) == 200)
        held.clear()
        async with Flow(settings, encoder=HashEncoder()) as flow:
            assert len(list(flow.engine.partitions[0].states.items(0))) == 200
    assert len(held) >= 40
    assert max(held) <= 10


def test_every_input_partition_has_a_share_of_its_own() -> None:
    settings = load_settings(unacknowledged_bytes=100 * MIB, partition_unacknowledged_bytes=8 * MIB)
    assert share_of_partition(settings, 4) == 8 * MIB
    assert share_of_partition(settings, 100) == MIB
    for changelogs in (1, 20, 500):
        assert share_of_changelog(settings, changelogs) * changelogs <= 100 * MIB


def test_a_record_weighs_all_that_a_producer_can_make_large() -> None:
    (record,) = (record for record in packed_consumer_records())
    assert weigh([record]) == RECORD_BYTES + 3 + 4 + len("header") + 5
    ledger = Ledger()
    ledger.deliver([record])
    assert ledger.pending_bytes == weigh([record])
    ledger.acknowledge(record.offset)
    assert ledger.pending_bytes == 0


def packed_consumer_records() -> list[Any]:
    from aiokafka import ConsumerRecord

    headers = (("header", b"12345"),)
    return [ConsumerRecord("clicks", 0, 0, BASE, 0, b"key", b"1234", None, 3, 4, headers)]
