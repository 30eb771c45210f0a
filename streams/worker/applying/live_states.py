"""The states of keys seen of late, kept decoded: a bounded cache in which a hit costs one look-up.

Two generations stand for the least recently used order. A hit in the younger one changes nothing, where an ordered
dictionary would relink four entries all over memory for every event.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import islice
from typing import Generic

from features.entity import S


class LiveStates(Generic[S]):
    """The live states of a partition, by user or item id.

    Args:
        limit: tells how many are to be kept, those that are busy on top; asked for every state that is put. It moves
            when a worker's partitions come and go, for these share what the worker may keep.
        busy: tells the keys whose state the local store does not hold in full; these are never let go of.
    """

    def __init__(self, limit: Callable[[], int], busy: Callable[[], Collection[str]]) -> None:
        self._limit = limit
        self._busy = busy
        self._held_back = 0
        self._younger: dict[str, S] = {}
        self._older: dict[str, S] = {}

    def get(self, key: str) -> S | None:
        """Return the live state of a key, or None."""
        state = self._younger.get(key)
        if state is None and self._older:
            state = self._older.pop(key, None)
            if state is not None:
                self.put(key, state)
        return state

    def put(self, key: str, state: S) -> None:
        """Keep a state; keys that were not seen for a whole generation go."""
        generation = max(1, self._limit() // 2)
        if len(self._younger) - self._held_back >= generation:
            self._begin_generation(generation)
        self._younger[key] = state

    def keys(self) -> list[str]:
        """The keys whose states are live."""
        return [*self._older, *self._younger]

    def _begin_generation(self, size: int) -> None:
        leaving, ending = self._older, self._younger
        surplus = len(ending) - self._held_back - size
        if surplus > 0:
            # The limit has fallen since: the keys seen last are kept.
            for key in list(islice(ending, len(ending) - size)):
                leaving[key] = ending.pop(key)
        self._older = ending
        self._younger = {key: leaving[key] for key in self._busy() if key in leaving}
        self._held_back = len(self._younger)
