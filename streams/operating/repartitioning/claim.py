"""The topics of the copy: made, found to be nobody else's, and claimed by a first record that says whose copy it is."""

from __future__ import annotations

from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from streams.broker.connection import connection, new_producer, reaching
from streams.broker.errors.explaining import WRITE
from streams.broker.members import count_members
from streams.broker.reading import read_from, reading
from streams.broker.topics.admin import Admin
from streams.broker.topics.counts import partition_counts
from streams.broker.topics.provisioning import check_topics, make_topics
from streams.broker.topics.topic_settings import wanted
from streams.contract import DEAD_LETTERS, changelog_name, topic_name
from streams.exceptions import StreamsError
from streams.operating.repartitioning.parts import parts_of
from streams.operating.repartitioning.standstill import committed_offsets
from streams.settings import Settings

_CLAIM: Final = b"__wherewithal\0repartitioned__"
"""The key of a changelog's first record, if it is a copy: a tombstone, which every worker passes over."""

_FROM: Final = "repartitioned-from"


class TakenTargetError(StreamsError, RuntimeError):
    """The topics of the copy hold something else."""


async def claim(settings: Settings, target: Settings) -> None:
    """Make the topics of the copy that are missing, and claim them; those that an earlier run has claimed are ours.

    Raises:
        TakenTargetError: they hold something else, or have another number of partitions, or workers use them.
        BrokerError: the broker cannot be used.
    """
    await _check_counts(target)
    await make_topics(target)
    await _check_counts(target)
    await check_topics(target)
    await check_unused(target)
    async with Admin(settings) as admin:
        identity, _ = await admin.cluster()
    source = f"{identity}/{changelog_name(settings)}"
    first = TopicPartition(changelog_name(target), 0)
    held = await _holding(target)
    if not held:
        await _write(target, first, source)
    elif await _claimed_by(target, first) != source:
        raise TakenTargetError(
            f"expected {held[0]!r} to be empty, or to hold an unfinished copy of {changelog_name(settings)!r}, found "
            "other records: choose another --to-prefix, or delete the topics behind this one"
        )


async def _check_counts(target: Settings) -> None:
    for name, count in (await partition_counts(target, list(wanted(target)))).items():
        if count != target.partitions:
            raise TakenTargetError(
                f"expected {target.partitions} partitions of {name!r}, found {count}: choose another --to-prefix, or "
                "delete the topics behind this one"
            )


async def check_unused(target: Settings) -> None:
    """Check that no worker uses the copy, or has: it would not know of what is copied after it has started.

    Raises:
        TakenTargetError: one does, or did.
        BrokerError: the broker cannot be used.
    """
    for part in parts_of(target):
        if await count_members(target, part.group):
            raise TakenTargetError(
                f"expected no worker in the group {part.group!r}, found one: it would miss what is copied; choose "
                "another --to-prefix"
            )
        for partition, offset in (await committed_offsets(target, part.group, part.inputs(target))).items():
            if offset is not None:
                raise TakenTargetError(
                    f"expected a group {part.group!r} that has never read, found that it has committed offset {offset} "
                    f"of {partition.topic}-{partition.partition}: workers have gone on from this copy; choose another "
                    "--to-prefix"
                )


async def _holding(target: Settings) -> list[str]:
    """Return those topics of the copy that hold records, or have held some.

    Raises:
        TakenTargetError: one of them is no table.
    """
    parts = parts_of(target)
    plain = [topic_name(target, DEAD_LETTERS), *(name for part in parts for name in part.topics)]
    tables = [table.name(target) for part in parts for table in part.tables]
    partitions = [TopicPartition(name, n) for name in (*plain, *tables) for n in range(target.partitions)]
    consumer = AIOKafkaConsumer(**connection(target), group_id=None, enable_auto_commit=False)
    async with reading(target, consumer):
        ends = await consumer.end_offsets(partitions)
    used = [name for name in (*plain, *tables) if any(end for tp, end in ends.items() if tp.topic == name)]
    for name in used:
        if name in plain:
            raise TakenTargetError(
                f"expected {name!r} to be empty, found records: producers publish there once workers run on the copy; "
                "choose another --to-prefix, or delete the topics behind this one"
            )
    return used


async def _claimed_by(target: Settings, first: TopicPartition) -> str | None:
    """Return the source that the first record names; None if it claims nothing."""
    async for records in read_from(target, {first: 0}):
        return _source(records[0]) if records else None
    return None


def _source(record: ConsumerRecord) -> str | None:
    if record.key != _CLAIM:
        return None
    return next((value.decode(errors="replace") for name, value in record.headers if name == _FROM), None)


async def _write(target: Settings, first: TopicPartition, source: str) -> None:
    producer = new_producer(target)
    async with reaching(target, WRITE, first.topic):
        await producer.start()
        try:
            headers = [(_FROM, source.encode())]
            await producer.send_and_wait(first.topic, key=_CLAIM, partition=first.partition, headers=headers)
        finally:
            await producer.stop()
