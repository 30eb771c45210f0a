"""Which minutes keys are due at, in 12 bytes for each: a set of (hash of the key, minute), kept sorted in arrays."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import Final

_WITHIN_SHARD: Final = 52
"""Bits of a hash; the other 12 name its shard. Inserting moves the rest of a shard: of ten million keys one has 30 KB,
moved in a microsecond."""


class DueIndex:
    """Remembers minutes per key, and tells whether one would be the earliest.

    Keys are told apart by a hash of 64 bits: of ten million, two share one with a probability of 3 in a million, and
    then the one due later may be missed once.
    """

    def __init__(self) -> None:
        self._shards: dict[int, tuple[array[int], array[int]]] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, key: str, minute: int) -> bool:
        """Remember a minute and return True; if this or an earlier one of the key is remembered, return False."""
        hashed = hash(key)
        shard = self._shards.get(hashed >> _WITHIN_SHARD)
        if shard is None:
            shard = self._shards[hashed >> _WITHIN_SHARD] = (array("q"), array("I"))
        hashes, minutes = shard
        place = bisect_left(hashes, hashed)
        if place < len(hashes) and hashes[place] == hashed and minutes[place] <= minute:
            return False
        # In front of the later minutes of this key, so that the first one is always the earliest.
        hashes.insert(place, hashed)
        minutes.insert(place, minute)
        self._size += 1
        return True

    def remove(self, key: str, minute: int) -> None:
        """Forget a minute, if it is remembered."""
        hashed = hash(key)
        shard = self._shards.get(hashed >> _WITHIN_SHARD)
        if shard is None:
            return
        hashes, minutes = shard
        place = bisect_left(hashes, hashed)
        while place < len(hashes) and hashes[place] == hashed:
            if minutes[place] == minute:
                del hashes[place], minutes[place]
                self._size -= 1
                return
            place += 1
