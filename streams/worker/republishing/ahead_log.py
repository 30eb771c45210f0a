"""Finding records ahead of the clock in what a stage publishes, without reading all of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from streams.broker.connection import new_consumer
from streams.broker.reading import read_to, reading
from streams.settings import Settings
from streams.worker.republishing.ahead import Ahead, Limits, Rank, rank_of

FIRST_CHUNK: Final = 256
"""Records looked at in a partition where nothing is ahead, its last ones."""

_GROWTH: Final = 4


async def find_ahead(
    settings: Settings, ends: Mapping[TopicPartition, int], limits: Limits
) -> dict[TopicPartition, dict[bytes, Rank | None]]:
    """Return, of each partition of topics of records, the keys whose record is ahead, as `Ahead.keys` has them.

    Args:
        settings: where the topics are.
        ends: before which offset of each partition.
        limits: of a moment when the logs had come to these ends: a right clock has stamped nothing before them later.

    Raises:
        BrokerError: the broker cannot be reached or does not answer.
    """
    found: dict[TopicPartition, dict[bytes, Rank | None]] = {}
    consumer = new_consumer(settings)
    async with reading(settings, consumer):
        log = _Log(consumer, settings.request_timeout_s)
        for partition, end in ends.items():
            ahead = Ahead(limits)
            async for record in log.records(partition, await log.first_ahead(partition, end, limits), end):
                ahead.add(record.key, record.value)
            found[partition] = ahead.keys
    return found


class _Log:
    """Reads pieces of partitions."""

    def __init__(self, consumer: AIOKafkaConsumer, patience_s: float) -> None:
        self._consumer = consumer
        self._patience_s = patience_s

    async def records(self, partition: TopicPartition, start: int, end: int) -> AsyncIterator[ConsumerRecord]:
        """Yield the records from `start` to before `end`."""
        if start >= end:
            return
        self._consumer.assign([partition])
        self._consumer.seek(partition, start)
        async for records in read_to(self._consumer, {partition: end}, self._patience_s):
            for record in records:
                if record.offset < end:
                    yield record

    async def first_ahead(self, partition: TopicPartition, end: int, limits: Limits) -> int:
        """Return an offset before which no record is ahead, as far as that can be told; `end` where none is."""
        self._consumer.assign([partition])
        first: int = (await self._consumer.beginning_offsets([partition]))[partition]
        start = end
        size = FIRST_CHUNK
        while start > first:
            piece = max(first, start - size)
            if not await self._any_ahead(partition, piece, start, limits):
                break
            start, size = piece, size * _GROWTH
        return min(start, await self._by_time(partition, end, limits))

    async def _any_ahead(self, partition: TopicPartition, start: int, end: int, limits: Limits) -> bool:
        found = False
        async for record in self.records(partition, start, end):
            rank = None if record.value is None else rank_of(record.value)
            found = found or (rank is not None and limits.passed_by(rank))
        return found

    async def _by_time(self, partition: TopicPartition, end: int, limits: Limits) -> int:
        """Return the first offset whose Kafka timestamp is ahead, which the broker finds by its index.

        The timestamp is the producer's. So it tells of records behind right ones too, where an owner ended before all
        were published again.
        """
        limit = limits.event_time if limits.emitted_at is None else limits.emitted_at
        place = (await self._consumer.offsets_for_times({partition: limit + 1}))[partition]
        # The embedded broker answers with a timestamp of -1 where Kafka has no answer.
        return end if place is None or place.timestamp <= limit else int(place.offset)
