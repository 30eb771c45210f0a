"""The due times of a partition's users or items: who is to be published again although nothing happened.

Every key with an event is due some day, so what one costs here is paid for all of them: an entry of the index, and
the id in the bucket of the minute.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Final

from features.tiles import MINUTE
from streams.worker.applying.due_index import DueIndex

_END: Final = b"\xff"
"""Ends an id; no byte of UTF-8 is this one."""


class _Bucket(bytearray):
    """The ids that are due in one minute, one after another."""

    __slots__ = ("keys",)
    keys: int

    def cut(self, limit: int) -> list[str]:
        """Take out the last ids, up to `limit`."""
        start = len(self)
        for _ in range(min(limit, self.keys)):
            start = self.rfind(_END, 0, start - 1) + 1
        taken = bytes(self[start:])
        del self[start:]
        ids = [key.decode() for key in taken.split(_END)[:-1]]
        self.keys -= len(ids)
        return ids


class DueTimes:
    """Minutes at which keys are due; finding who is due costs no scan over all keys.

    A due time is rounded up to the minute. A key may have several: one is not taken back when an earlier one comes,
    for it will come true later. So a key never has two entries of one minute, and no more entries than minutes at
    which a tile of theirs leaves a window.
    """

    _index: DueIndex
    _buckets: dict[int, _Bucket]
    # Heaps of the minutes that have a bucket: those that are reached, and those to come.
    _reached_minutes: list[int]
    _coming: list[int]

    def __init__(self) -> None:
        self.clear()

    def __len__(self) -> int:
        """Entries: due times that are not taken."""
        return len(self._index)

    def clear(self) -> None:
        """Forget all due times, and which minutes were reached."""
        self._index, self._buckets = DueIndex(), {}
        self._reached_minutes, self._coming = [], []
        self._reached, self._backlog = -1, 0

    def schedule(self, key: str, due: int) -> None:
        """Have a key be due at `due` (ms), rounded up to the minute, or earlier if that is scheduled already."""
        minute = -(-due // MINUTE)
        if not self._index.add(key, minute):
            return
        reached = minute <= self._reached
        bucket = self._buckets.get(minute)
        if bucket is None:
            bucket = self._buckets[minute] = _Bucket()
            bucket.keys = 0
            heappush(self._reached_minutes if reached else self._coming, minute)
        bucket += key.encode() + _END
        bucket.keys += 1
        self._backlog += reached

    def take(self, now: int, limit: int) -> list[str]:
        """Take out up to `limit` keys that are due at `now` (ms), the minute longest due first."""
        self._reach(now)
        taken: list[str] = []
        while self._reached_minutes and len(taken) < limit:
            minute = self._reached_minutes[0]
            bucket = self._buckets[minute]
            keys = bucket.cut(limit - len(taken))
            for key in keys:
                self._index.remove(key, minute)
            taken += keys
            if not bucket:
                del self._buckets[minute]
                heappop(self._reached_minutes)
        self._backlog -= len(taken)
        return taken

    def backlog(self, now: int) -> int:
        """Return how many keys are due at `now` (ms) and not taken."""
        self._reach(now)
        return self._backlog

    def lateness(self, now: int) -> int:
        """Return for how long (ms, at `now`) the longest due key has been due and not taken; 0 if nobody is."""
        self._reach(now)
        return now - self._reached_minutes[0] * MINUTE if self._reached_minutes else 0

    def kept_until(self, now: int) -> int:
        """Return the instant (ms) up to which all due keys are taken: `now`, if none is left."""
        self._reach(now)
        # Due times of that minute were rounded up to it.
        return (self._reached_minutes[0] - 1) * MINUTE if self._reached_minutes else now

    def _reach(self, now: int) -> None:
        self._reached = max(self._reached, now // MINUTE)
        while self._coming and self._coming[0] <= self._reached:
            minute = heappop(self._coming)
            heappush(self._reached_minutes, minute)
            self._backlog += self._buckets[minute].keys
