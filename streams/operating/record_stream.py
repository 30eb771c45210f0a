"""Following a compacted topic: of scores, or of the signals of items."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Collection
from typing import Any, Final

import orjson
from aiokafka import TopicPartition

from streams.broker.connection import new_consumer, reaching
from streams.broker.topics.counts import partitions_of
from streams.broker.topics.log_ends import high_watermarks
from streams.contract import topic_name
from streams.exceptions import BrokerError
from streams.settings import Settings

QUIET_S: Final = 10.0
"""Seconds without a record after which the broker is asked whether it still answers."""


async def follow_records(
    settings: Settings, topic: str, on_silence: Callable[[BrokerError], None] = lambda _: None
) -> AsyncIterator[tuple[str, dict[str, Any] | None]]:
    """Yield (key, record) for every record published from now on, without end; the record is None for a tombstone.

    Args:
        settings: of the cluster.
        topic: of the contract; its values are JSON.
        on_silence: called once each time that the broker stops answering; the broker is then waited for.

    Raises:
        BrokerError: there is no such topic, or the broker does not answer from the start.
    """
    partitions = await partitions_of(settings, topic_name(settings, topic))
    consumer = new_consumer(settings)
    async with reaching(settings):
        await consumer.start()
    try:
        consumer.assign(partitions)
        for partition, end in (await high_watermarks(settings, partitions)).items():
            consumer.seek(partition, end)
        heard, silent = time.monotonic(), False
        while True:
            fetched = await consumer.getmany(timeout_ms=500)
            for records in fetched.values():
                for record in records:
                    value = None if record.value is None else orjson.loads(record.value)
                    yield record.key.decode(), value
            if fetched:
                heard, silent = time.monotonic(), False
            elif time.monotonic() - heard > QUIET_S:
                error = await _silence(settings, partitions)
                if error is not None and not silent:
                    on_silence(error)
                heard, silent = time.monotonic(), error is not None
    finally:
        await consumer.stop()


async def _silence(settings: Settings, partitions: Collection[TopicPartition]) -> BrokerError | None:
    """Return the reason why the broker does not answer, None if it does."""
    try:
        await high_watermarks(settings, partitions)
    except BrokerError as error:
        return error
    return None
