"""The highest of a compacted topic now, of users or of items, found without holding everybody's record."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Any, NamedTuple

import orjson
from aiokafka import TopicPartition

from streams.broker.reading import read_from
from streams.broker.topics.counts import partitions_of
from streams.broker.topics.log_ends import log_bounds
from streams.contract import topic_name
from streams.records.score_record import Rank, rank
from streams.settings import Settings

Height = tuple[float, ...]
"""What records are ordered by; the greatest comes first."""

HeightOf = Callable[[Mapping[str, Any]], Height | None]


class _Newest(NamedTuple):
    """What is kept of a key's newest record while a partition is read."""

    rank: Rank
    offset: int
    height: Height | None
    """None of one that is not wanted."""


class _Candidate(NamedTuple):
    height: Height
    key: str
    partition: TopicPartition
    offset: int


async def top_records(settings: Settings, topic: str, count: int, height_of: HeightOf) -> list[dict[str, Any]]:
    """Return the newest records of the keys that stand highest; of equal ones the first by key.

    The topic is read one partition after the other, and of a partition's keys only place and height are remembered, not
    their records. These are read again, of those that are chosen.

    Args:
        settings: of the cluster.
        topic: of the contract; its values are JSON.
        count: how many.
        height_of: returns what a record is ordered by; None leaves its key out.

    Raises:
        BrokerError: there is no such topic, or the broker cannot be reached or does not answer.
    """
    partitions = await partitions_of(settings, topic_name(settings, topic))
    bounds = await log_bounds(settings, partitions)
    best: list[_Candidate] = []
    for partition in partitions:
        newest = await _newest(settings, partition, bounds[partition].start, height_of)
        found = (
            _Candidate(known.height, key.decode(), partition, known.offset)
            for key, known in newest.items()
            if known.height is not None
        )
        best = heapq.nsmallest(count, (*best, *heapq.nsmallest(count, found, key=_place)), key=_place)
    return await _records(settings, best)


async def _newest(
    settings: Settings, partition: TopicPartition, start: int, height_of: HeightOf
) -> dict[bytes, _Newest]:
    newest: dict[bytes, _Newest] = {}
    async for records in read_from(settings, {partition: start}):
        for record in records:
            if record.value is None:
                newest.pop(record.key, None)
                continue
            value = orjson.loads(record.value)
            known, age = newest.get(record.key), rank(value)
            if known is None or age > known.rank:
                newest[record.key] = _Newest(age, record.offset, height_of(value))
    return newest


def _place(candidate: _Candidate) -> tuple[Height, str]:
    return tuple(-part for part in candidate.height), candidate.key


async def _records(settings: Settings, best: list[_Candidate]) -> list[dict[str, Any]]:
    places: defaultdict[TopicPartition, dict[int, int]] = defaultdict(dict)
    for place, candidate in enumerate(best):
        places[candidate.partition][candidate.offset] = place
    found: dict[int, dict[str, Any]] = {}
    for partition, unread in places.items():
        # One that was compacted away meanwhile has been outrun by a newer record, and is left out.
        async with aclosing(read_from(settings, {partition: min(unread)})) as reading:
            async for records in reading:
                for record in records:
                    if record.offset in unread:
                        found[unread.pop(record.offset)] = orjson.loads(record.value)
                if not unread:
                    break
    return [found[place] for place in sorted(found)]
