"""Following the score topic as a consumer of it does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson
from aiokafka import TopicPartition

from streams.exceptions import BrokerError
from streams.kafka import SCORES, new_consumer, topic_name
from streams.log_ends import high_watermarks
from streams.settings import Settings


async def follow_scores(settings: Settings) -> AsyncIterator[tuple[str, dict[str, Any] | None]]:
    """Yield (user, record) for every score published from now on, without end; the record is None for a tombstone.

    Raises:
        BrokerError: there is no score topic, or the broker does not answer.
    """
    name = topic_name(settings, SCORES)
    consumer = new_consumer(settings)
    await consumer.start()
    try:
        await consumer.topics()
        numbers = consumer.partitions_for_topic(name)
        if numbers is None:
            raise BrokerError(f"expected a topic {name!r}, found none: start a worker once, which makes it")
        partitions = [TopicPartition(name, number) for number in numbers]
        consumer.assign(partitions)
        for partition, end in (await high_watermarks(settings, partitions)).items():
            consumer.seek(partition, end)
        while True:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    value = None if record.value is None else orjson.loads(record.value)
                    yield record.key.decode(), value
    finally:
        await consumer.stop()
