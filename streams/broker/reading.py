"""Reading the records of topics up to their present ends, and removing topics."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from streams.broker.connection import new_consumer, reaching
from streams.broker.topics.admin import Admin
from streams.broker.topics.counts import partitions_of
from streams.broker.topics.log_ends import stable_ends
from streams.contract import CAPACITY, ITEM_TOPICS, TOPICS, changelog_name, items_changelog_name, topic_name
from streams.exceptions import BrokerError
from streams.settings import MAX_TOPIC_BYTES, Settings


async def read_from(
    settings: Settings, starts: Mapping[TopicPartition, int]
) -> AsyncGenerator[list[ConsumerRecord], None]:
    """Yield the records of partitions from an offset each up to their ends at the time of the call.

    Only committed records are read: the end lies before a transaction that is still open.

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
        BrokerError: there is no such topic, or the broker cannot be reached or does not answer.
    """
    partitions = await partitions_of(settings, name)
    ends = await stable_ends(settings, partitions)
    consumer = new_consumer(settings, max_partition_fetch_bytes=MAX_TOPIC_BYTES)
    async with reading(settings, consumer):
        consumer.assign(partitions)
        await consumer.seek_to_beginning()
        async for records in read_to(consumer, ends, settings.request_timeout_s):
            yield records


async def read_to(
    consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int], patience_s: float
) -> AsyncGenerator[list[ConsumerRecord], None]:
    """Yield the records that a consumer gets from each partition, up to an offset each.

    Raises:
        BrokerError: no record came for `patience_s`; the consumer itself would ask for ever.
    """
    unread, heard = dict(ends), time.monotonic()
    reached: dict[TopicPartition, int] = {}
    while unread := await _unread(consumer, unread):
        fetched = await consumer.getmany(*unread, timeout_ms=200)
        # The position counts, not the records: a long aborted transaction brings none.
        positions = {partition: await consumer.position(partition) for partition in unread}
        if positions != reached:
            reached, heard = positions, time.monotonic()
        elif time.monotonic() - heard > patience_s:
            raise BrokerError(f"the broker delivered nothing for {patience_s:g} s: check that it runs")
        for records in fetched.values():
            yield records


@asynccontextmanager
async def reading(settings: Settings, consumer: AIOKafkaConsumer) -> AsyncIterator[None]:
    """Run a consumer, and stop it even if it could not start.

    Raises:
        BrokerError: the broker could not be used.
    """
    async with reaching(settings):
        try:
            await consumer.start()
            yield
        finally:
            await consumer.stop()


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
    names = {topic_name(settings, topic) for topic in (*TOPICS, CAPACITY, *ITEM_TOPICS)}
    names |= {changelog_name(settings), items_changelog_name(settings)}
    async with Admin(settings) as admin:
        await admin.delete(names)
