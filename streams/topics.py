"""Looking at topics as they stand, without making any: how many partitions, and what was appended since an offset."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from streams.exceptions import BrokerError
from streams.kafka import TOPICS, changelog_name, common_count, connection, new_consumer, reaching, topic_name
from streams.log_ends import stable_ends
from streams.settings import MAX_TOPIC_BYTES, Settings


async def partition_counts(settings: Settings, names: Collection[str]) -> dict[str, int]:
    """The number of partitions of each of these topics that exists; none is made by asking.

    Raises:
        BrokerError: the broker cannot be reached.
    """
    admin = AIOKafkaAdminClient(**connection(settings))
    async with reaching(settings):
        await admin.start()
        try:
            # A broker may make the topic that it is asked to describe.
            known = sorted(set(names) & set(await admin.list_topics()))
            described = await admin.describe_topics(known) if known else []
        finally:
            await admin.close()
    return {topic["topic"]: len(topic["partitions"]) for topic in described}


async def common_partitions(settings: Settings, names: Collection[str]) -> int:
    """The number of partitions that all of these topics have.

    Raises:
        BrokerError: the broker cannot be reached, a topic is missing, or their numbers of partitions differ.
    """
    counts = await partition_counts(settings, names)
    for name in names:
        if name not in counts:
            raise BrokerError(
                f"expected a topic {name!r}, found none: start a worker once, which makes it, "
                "or check WHEREWITHAL_TOPIC_PREFIX and WHEREWITHAL_GROUP"
            )
    return common_count(counts)


async def read_from(
    settings: Settings, starts: Mapping[TopicPartition, int]
) -> AsyncGenerator[list[ConsumerRecord], None]:
    """Yield the records of partitions from an offset each up to their ends at the time of the call.

    An end is that of what is committed: a transaction that is still open, and what lies behind it, is not read.

    Raises:
        BrokerError: the broker cannot be reached or does not answer.
    """
    ends = await stable_ends(settings, list(starts))
    unread = {partition: end for partition, end in ends.items() if starts[partition] < end}
    if not unread:
        return
    consumer = new_consumer(settings, max_partition_fetch_bytes=MAX_TOPIC_BYTES)
    async with reading(settings, consumer):
        consumer.assign(list(unread))
        for partition in unread:
            consumer.seek(partition, starts[partition])
        async for records in read_to(consumer, unread, settings.request_timeout_s):
            yield records


async def read_topic(settings: Settings, name: str) -> AsyncGenerator[list[ConsumerRecord], None]:
    """Yield all records of a topic up to its end at the time of the call, in batches of one partition.

    Raises:
        BrokerError: the broker cannot be reached or does not answer.
    """
    consumer = new_consumer(settings, max_partition_fetch_bytes=MAX_TOPIC_BYTES)
    async with reading(settings, consumer):
        numbers = await _partition_numbers(consumer, name)
        partitions = [TopicPartition(name, number) for number in numbers]
        ends = await stable_ends(settings, partitions)
        consumer.assign(partitions)
        await consumer.seek_to_beginning()
        async for records in read_to(consumer, ends, settings.request_timeout_s):
            yield records


async def read_to(
    consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int], patience_s: float
) -> AsyncGenerator[list[ConsumerRecord], None]:
    """Yield what a consumer has before it in each partition, up to an offset each.

    Raises:
        BrokerError: nothing more came for `patience_s`; the consumer itself would ask for ever.
    """
    unread, heard = dict(ends), time.monotonic()
    reached: dict[TopicPartition, int] = {}
    while unread := await _unread(consumer, unread):
        fetched = await consumer.getmany(*unread, timeout_ms=200)
        # Not by the records: a long transaction that was aborted brings none.
        positions = {partition: await consumer.position(partition) for partition in unread}
        if positions != reached:
            reached, heard = positions, time.monotonic()
        elif time.monotonic() - heard > patience_s:
            raise BrokerError(f"the broker delivered nothing for {patience_s:g} s: check that it runs")
        for records in fetched.values():
            yield records


@asynccontextmanager
async def reading(settings: Settings, consumer: AIOKafkaConsumer) -> AsyncIterator[None]:
    """Run a consumer, and stop it whether or not it could start.

    Raises:
        BrokerError: the broker could not be used.
    """
    async with reaching(settings):
        try:
            await consumer.start()
            yield
        finally:
            await consumer.stop()


async def _partition_numbers(consumer: AIOKafkaConsumer, name: str) -> Iterable[int]:
    numbers = consumer.partitions_for_topic(name)
    if numbers is None:
        await consumer.topics()
        numbers = consumer.partitions_for_topic(name)
    if numbers is None:
        raise BrokerError(f"expected a topic {name!r}, found none: start a worker once, which makes it")
    return sorted(numbers)


async def _unread(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
    unread = {}
    for partition, end in ends.items():
        if await consumer.position(partition) < end:
            unread[partition] = end
    return unread


async def drop_topics(settings: Settings) -> None:
    """Delete every topic of these settings that exists.

    Raises:
        BrokerError: the broker cannot be reached.
    """
    names = {*(topic_name(settings, topic) for topic in TOPICS), changelog_name(settings)}
    admin = AIOKafkaAdminClient(**connection(settings))
    async with reaching(settings):
        await admin.start()
        try:
            await admin.delete_topics(sorted(names & set(await admin.list_topics())))
        finally:
            await admin.close()
