"""Looking at topics as they stand, without making any: how many partitions, and what was appended since an offset."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from streams.exceptions import BrokerError
from streams.kafka import (
    TOPICS,
    changelog_name,
    common_count,
    connection,
    high_watermarks,
    new_consumer,
    reaching,
    read_to,
    reading,
    topic_name,
)
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

    Raises:
        BrokerError: the broker cannot be reached or does not answer.
    """
    ends = await high_watermarks(settings, list(starts))
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
