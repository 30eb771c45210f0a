"""Tiles and sawtooth windows: mergeable partial aggregates that any order of arrival fills alike.

A window of length w with hop h covers `floor((T - w) / h) * h <= timestamp <= T`: the sawtooth window of
Chronon (https://chronon.ai/Tiled_Architecture.html). Its lower edge falls on a tile's edge, so a window is
the exact sum of whole tiles. T never precedes the newest event, so no tile has to be cut at its upper edge.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from operator import add
from typing import Final

import msgspec

MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

INDEX: Final = 0
"""Where a tile, `[index, *columns]`, has its index: its time divided by the hop."""

Add = tuple[int, int]
"""A column of a tile, and which of an event's measures is added to it."""

FEW: Final = 2
"""Tiles of a level up to which summing them when asked costs less than keeping the sums of every window."""


# States are made by the thousand and live long. As structs they are made without running Python code, and they form
# no cycles that the collector would have to look for.
class WindowSums(msgspec.Struct, gc=False):
    """The running sums of one window over the tiles of a level.

    Attributes:
        length: ms.
        sums: of every column of the tiles; what stands at `INDEX` means nothing.
        lower: index of the oldest tile that `sums` include.
    """

    length: int
    sums: list[int]
    lower: int


class TileLevel(msgspec.Struct, gc=False):
    """The tiles of one hop, and the windows that are summed from them.

    The tiles follow one another in a single list, as they are stored: a shopper's are few and are touched together,
    and one object of them is one miss of the processor's cache, where one each would be many.

    Attributes:
        hop: length of a tile, ms.
        width: how many integers a tile has, its index included.
        lengths: of the windows over these tiles, ms, the longest last.
        flat: the tiles in the order of their indices, one after another. The last one is that of the newest event, for
            every event has its tile; a tile is dropped when one is begun from which on no window reaches it.
        windows: their running sums, from when they are first asked for; None before, and while the tiles are few.
    """

    hop: int
    width: int
    lengths: tuple[int, ...]
    flat: list[int] = []
    windows: list[WindowSums] | None = None

    @property
    def indices(self) -> list[int]:
        """The indices of the tiles, ascending."""
        return self.column(INDEX)

    def column(self, column: int) -> list[int]:
        """Return one column of all tiles."""
        return self.flat[column :: self.width]

    def add(self, timestamp: int, adds: Iterable[Add], measures: Sequence[int]) -> bool:
        """Add an event to its tile, unless no window reaches that tile any more; return whether one does.

        Args:
            timestamp: of the event, ms.
            adds: what it adds to which column; every column is one of this level's.
            measures: the event's, which `adds` choose from.
        """
        index = timestamp // self.hop
        flat = self.flat
        # Nearly every event falls into the newest tile, or begins the next.
        place = len(flat) - self.width
        if place < 0 or flat[place] < index:
            if place >= 0 and flat[INDEX] < self._oldest(index):
                self._drop_before(self._oldest(index))
            place = len(flat)
            flat += (index, *(0,) * (self.width - 1))
        elif flat[place] != index:
            if index < self._oldest(flat[place]):
                return False
            place = self._tile(index)
        for column, measure in adds:
            flat[place + column] += measures[measure]
        if self.windows is not None:
            for window in self.windows:
                if index >= window.lower:
                    sums = window.sums
                    for column, measure in adds:
                        sums[column] += measures[measure]
        return True

    def _oldest(self, newest: int) -> int:
        """Return the index of the oldest tile that a window reaches from the one of index `newest`."""
        # A length is a multiple of the hop, so where in its tile the newest event is does not matter.
        return newest - self.lengths[-1] // self.hop

    def _drop_before(self, oldest: int) -> None:
        for window in self.windows or ():
            if window.lower < oldest:
                self._move(window, oldest)
        del self.flat[: self._place_of(oldest)]

    def _tile(self, index: int) -> int:
        """Return the place of a tile before the last, which is made if it is missing."""
        flat = self.flat
        place = self._place_of(index)
        if flat[place] != index:
            flat[place:place] = (index, *(0,) * (self.width - 1))
        return place

    def _place_of(self, index: int) -> int:
        """Return where the tile of an index is, or would be."""
        flat, width = self.flat, self.width
        if not flat or flat[-width] < index:
            return len(flat)
        return bisect_left(range(len(flat) // width), index, key=lambda number: flat[number * width]) * width

    def sums(self, instant: int) -> list[list[int]]:
        """Return the columns of each window as of `instant` (ms, not before the newest event), only to be read."""
        windows = self.windows
        if windows is None:
            hop, flat = self.hop, self.flat
            if len(flat) <= FEW * self.width:
                shortest = (instant - self.lengths[0]) // hop
                if not flat or flat[INDEX] >= shortest:
                    return [self._sum_from(shortest)] * len(self.lengths)
                return [self._sum_from((instant - length) // hop) for length in self.lengths]
            self.windows = windows = []
            for length in self.lengths:
                lower = (instant - length) // hop
                windows.append(WindowSums(length, self._sum_from(lower), lower))
        else:
            for window in windows:
                lower = (instant - window.length) // self.hop
                if lower != window.lower:
                    self._move(window, lower)
        return [window.sums for window in windows]

    def _move(self, window: WindowSums, lower: int) -> None:
        flat, width = self.flat, self.width
        if lower < window.lower:
            # A clock that stepped back brings tiles in again.
            window.sums = self._sum_from(lower)
        else:
            place, end = self._place_of(window.lower), len(flat)
            sums = window.sums
            while place < end and flat[place] < lower:
                for column, amount in enumerate(flat[place : place + width]):
                    sums[column] -= amount
                place += width
        window.lower = lower

    def _sum_from(self, lower: int) -> list[int]:
        """Return the sums of the tiles from an index on."""
        flat, width = self.flat, self.width
        if not flat or flat[-width] < lower:
            return [0] * width
        first = 0 if flat[INDEX] >= lower else self._place_of(lower)
        second = first + width
        if len(flat) == second:
            return flat[first:]
        if len(flat) == second + width:
            return list(map(add, flat[first:second], flat[second:]))
        return [sum(flat[at::width]) for at in range(first, second)]

    def load(self, flat: list[int]) -> None:
        """Take the tiles that were stored as `flat`."""
        width = self.width
        indices = flat[INDEX::width]
        if indices != sorted(indices):
            # Earlier releases stored them in the order in which they were made.
            tiles = sorted(flat[at : at + width] for at in range(0, len(flat), width))
            flat = list(chain.from_iterable(tiles))
        self.flat = flat
        self.windows = None


class CategoryTiles(msgspec.Struct, gc=False):
    """How many events named each category, by day (UTC), over one window.

    Attributes:
        length: length of the window, ms; the hop is a day.
        tiles: by day, then by category; days are dropped when one is begun from which the window does not reach them.
    """

    length: int
    tiles: dict[int, dict[int, int]] = {}

    def add(self, timestamp: int, category: int) -> None:
        """Count one event that named `category`; its day is one that the window reaches."""
        index = timestamp // DAY
        tile = self.tiles.get(index)
        if tile is None:
            oldest = index - self.length // DAY
            for day in [day for day in self.tiles if day < oldest]:
                del self.tiles[day]
            tile = self.tiles[index] = {}
        tile[category] = tile.get(category, 0) + 1

    def counts(self, instant: int) -> Mapping[int, int]:
        """Events of each category in the window as of `instant` (ms)."""
        lower = (instant - self.length) // DAY
        totals: dict[int, int] = {}
        for index, tile in self.tiles.items():
            if index >= lower:
                for category, count in tile.items():
                    totals[category] = totals.get(category, 0) + count
        return totals

    def weighted(self, instant: int, weights: Sequence[int]) -> dict[int, int]:
        """Return the events of each category as of `instant` (ms), each counted with the weight of its day.

        Args:
            instant: T, not before the newest event.
            weights: by age in days, today's first; an older day counts nothing.
        """
        today, days = instant // DAY, len(weights)
        totals: dict[int, int] = {}
        for index, tile in self.tiles.items():
            if today - index < days:
                weight = weights[today - index]
                for category, count in tile.items():
                    totals[category] = totals.get(category, 0) + count * weight
        return totals
