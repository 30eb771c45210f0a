"""Records ahead of the clock, of users or items: no right one outranks them, and consumers would keep them until then.

A clock that was ahead leaves them, be it of the partition's owner before or of this worker.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from aiokafka import TopicPartition

from features.entity import State


class Rank(msgspec.Struct, frozen=True):
    """The order that consumers give the records of a key; times in ms."""

    revision: int
    event_time: int
    emitted_at: int
    life: int = 0

    @property
    def order(self) -> tuple[int, int, int, int]:
        """The greatest is the newest."""
        return self.life, self.revision, self.event_time, self.emitted_at


class Limits(msgspec.Struct, frozen=True):
    """The latest instants that are not ahead of the clock, ms.

    Attributes:
        event_time: of what a record speaks of.
        emitted_at: of the making of a record; None where it is not judged, since it is later than that of the record
            before.
    """

    event_time: int
    emitted_at: int | None

    def passed_by(self, rank: Rank) -> bool:
        """Whether a record of this rank is ahead."""
        return self.lead(rank) > 0

    def lead(self, rank: Rank) -> int:
        """By how much a record of this rank is ahead of the limits, ms; 0 if it is not."""
        made = 0 if self.emitted_at is None else rank.emitted_at - self.emitted_at
        return max(made, rank.event_time - self.event_time, 0)

    def wronged(self, state: State, rank: Rank | None) -> bool:
        """Whether what this state is of is to be published again, the records being what `Ahead` has found.

        An event that is ahead takes T with it, rightly: only an instant that no event explains was made by a clock.
        """
        if not state.revision or state.newest is None:
            return False
        if rank is None or (self.emitted_at is not None and rank.emitted_at > self.emitted_at):
            return True
        return rank.event_time > max(self.event_time, state.newest)


_decoder: Final = msgspec.json.Decoder(Rank)


def rank_of(value: bytes) -> Rank | None:
    """Return the rank of a published record; None for what is none, which no consumer ranks either."""
    try:
        return _decoder.decode(value)
    except msgspec.DecodeError:
        return None


class Ahead:
    """Takes in a partition of a topic of records from some place on, as a consumer does.

    Args:
        limits: what is ahead.

    Attributes:
        keys: those whose record is ahead, with its rank; None instead of one for a key that was reset since, and not
            published again.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.keys: dict[bytes, Rank | None] = {}

    def add(self, key: bytes, value: bytes | None) -> None:
        """Take in the next record."""
        if value is None:
            if key in self.keys:
                self.keys[key] = None
            return
        rank = rank_of(value)
        if rank is None:
            return
        known = self.keys.get(key)
        if known is not None and rank.order <= known.order:
            return
        if self._limits.passed_by(rank):
            self.keys[key] = rank
        else:
            self.keys.pop(key, None)


def by_partition(found: Mapping[TopicPartition, Mapping[bytes, Rank | None]]) -> dict[int, dict[bytes, Rank | None]]:
    """Join what was found in several topics: by partition, the keys with their rank that is furthest ahead.

    A key that was reset in one topic, and not published there again, has None.
    """
    joined: dict[int, dict[bytes, Rank | None]] = {}
    for tp, keys in found.items():
        known = joined.setdefault(tp.partition, {})
        for key, rank in keys.items():
            other = known.get(key, rank)
            known[key] = None if rank is None or other is None else max(rank, other, key=lambda one: one.order)
    return joined
