"""The users with the highest scores now, found without holding everybody's record."""

from __future__ import annotations

import heapq
from collections import defaultdict
from contextlib import aclosing
from typing import Any, NamedTuple

import orjson
from aiokafka import TopicPartition

from streams.broker.reading import read_from
from streams.broker.topics.counts import partitions_of
from streams.broker.topics.log_ends import log_bounds
from streams.contract import SCORES, topic_name
from streams.operating.segments import Wanted, matches
from streams.records.score_record import Rank, rank
from streams.settings import Settings


class _Newest(NamedTuple):
    """What is kept of a user's newest record while a partition is read."""

    rank: Rank
    offset: int
    height: tuple[float, float] | None
    """(score, prediction), by which users are ordered; None of one that does not meet the conditions."""


class _Candidate(NamedTuple):
    height: tuple[float, float]
    user_id: str
    partition: TopicPartition
    offset: int


async def top_scores(settings: Settings, count: int, wanted: Wanted) -> list[dict[str, Any]]:
    """Return the newest records of the users with the highest scores; of equal scores the higher prediction is first.

    The topic is read one partition after the other, and of a partition's users only place and score are remembered, not
    their records. These are read again, of those who are chosen.

    Args:
        settings: of the cluster.
        count: how many users.
        wanted: conditions that a user has to meet, see `streams.operating.segments.parse_conditions`.

    Raises:
        BrokerError: there is no score topic, or the broker cannot be reached or does not answer.
    """
    partitions = await partitions_of(settings, topic_name(settings, SCORES))
    bounds = await log_bounds(settings, partitions)
    best: list[_Candidate] = []
    for partition in partitions:
        newest = await _newest(settings, partition, bounds[partition].start, wanted)
        found = (
            _Candidate(known.height, key.decode(), partition, known.offset)
            for key, known in newest.items()
            if known.height is not None
        )
        best = heapq.nsmallest(count, (*best, *heapq.nsmallest(count, found, key=_place)), key=_place)
    return await _records(settings, best)


async def _newest(settings: Settings, partition: TopicPartition, start: int, wanted: Wanted) -> dict[bytes, _Newest]:
    newest: dict[bytes, _Newest] = {}
    async for records in read_from(settings, {partition: start}):
        for record in records:
            if record.value is None:
                newest.pop(record.key, None)
                continue
            score = orjson.loads(record.value)
            known, age = newest.get(record.key), rank(score)
            if known is None or age > known.rank:
                height = (score["score"], score["prediction"]) if matches(score, wanted) else None
                newest[record.key] = _Newest(age, record.offset, height)
    return newest


def _place(candidate: _Candidate) -> tuple[float, float, str]:
    score, prediction = candidate.height
    return -score, -prediction, candidate.user_id


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
