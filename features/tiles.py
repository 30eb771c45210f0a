"""Tiles and sawtooth windows: mergeable partial aggregates that any order of arrival fills alike.

A window of length w with hop h covers `floor((T - w) / h) * h <= timestamp <= T`: the sawtooth window of
Chronon (https://chronon.ai/Tiled_Architecture.html). Its lower edge falls on a tile's edge, so a window is
the exact sum of whole tiles. T never precedes the newest event, so no tile has to be cut at its upper edge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

# The columns of a tile: the six kinds of `Kind`, then sums. A level keeps a prefix of them, so the columns
# that only long windows need come last and cost the short tiles nothing.
SPEND: Final = 6
VIEWED_PRICE: Final = 7
PRICED_VIEWS: Final = 8
PRICED_PURCHASES: Final = 9
RATING: Final = 10
NOISY: Final = 11
COLUMNS: Final = 12

Delta = tuple[int, int]
"""A column and what to add to it."""


FEW: Final = 2
"""Tiles of a level up to which summing them when asked costs less than keeping the sums of every window."""


# States are made by the thousand and live long. As structs they are made without running Python code, and they form
# no cycles that the collector would have to look for.
class Window(msgspec.Struct, gc=False):
    """The running sums of one window over the tiles of a level.

    Attributes:
        length: ms.
        sums: one per column.
        lower: index of the oldest tile that `sums` include.
    """

    length: int
    sums: list[int]
    lower: int


class TileLevel(msgspec.Struct, gc=False):
    """The tiles of one hop, and the windows that are summed from them.

    Attributes:
        hop: length of a tile, ms.
        width: how many columns a tile keeps.
        lengths: of the windows over these tiles, ms, the longest last.
        tiles: columns by the index of the tile, which is its time divided by the hop.
        oldest: index of the oldest tile that a window can still reach.
        windows: their running sums, from when they are first asked for; None before, and while the tiles are few.
    """

    hop: int
    width: int
    lengths: tuple[int, ...]
    tiles: dict[int, list[int]] = {}
    oldest: int = 0
    windows: list[Window] | None = None

    def keep_from(self, newest: int) -> None:
        """Drop the tiles that no window reaches any more as of the newest event (ms)."""
        oldest = (newest - self.lengths[-1]) // self.hop
        if oldest <= self.oldest:
            return
        left, self.oldest = range(self.oldest, oldest), oldest
        for window in self.windows or ():
            if window.lower < oldest:
                self._move(window, oldest)
        # The tiles of a user who is active every few hours are many, those that leave at each event are few.
        tiles = self.tiles
        if len(left) <= len(tiles):
            for index in left:
                tiles.pop(index, None)
        elif tiles:
            self.tiles = {index: tile for index, tile in tiles.items() if index >= oldest}

    def add(self, timestamp: int, deltas: Iterable[Delta]) -> None:
        """Add an event to its tile, unless the tile has left every window; every column is one of this level's."""
        index = timestamp // self.hop
        if index < self.oldest:
            return
        tile = self.tiles.get(index)
        if tile is None:
            tile = self.tiles[index] = [0] * self.width
        for column, amount in deltas:
            tile[column] += amount
        for window in self.windows or ():
            if index >= window.lower:
                sums = window.sums
                for column, amount in deltas:
                    sums[column] += amount

    def sums(self, instant: int) -> list[list[int]]:
        """Return the columns of each window as of `instant` (ms, not before the newest event), only to be read."""
        windows = self.windows
        if windows is None:
            hop = self.hop
            if len(self.tiles) <= FEW:
                return [self._sum_from((instant - length) // hop) for length in self.lengths]
            self.windows = windows = []
            for length in self.lengths:
                lower = (instant - length) // hop
                windows.append(Window(length, self._sum_from(lower).copy(), lower))
        else:
            for window in windows:
                lower = (instant - window.length) // self.hop
                if lower != window.lower:
                    self._move(window, lower)
        return [window.sums for window in windows]

    def _move(self, window: Window, lower: int) -> None:
        tiles, sums = self.tiles, window.sums
        # A clock that stepped back brings tiles in again; a leap passes more indices than there are tiles.
        if 0 <= lower - window.lower <= len(tiles):
            for index in range(window.lower, lower):
                tile = tiles.get(index)
                if tile is not None:
                    for column, amount in enumerate(tile):
                        sums[column] -= amount
        else:
            window.sums = self._sum_from(lower).copy()
        window.lower = lower

    def _sum_from(self, lower: int) -> list[int]:
        """Return the sums of the tiles from an index on; of a single tile, the tile itself."""
        inside = [tile for index, tile in self.tiles.items() if index >= lower]
        if len(inside) == 1:
            return inside[0]
        return list(map(sum, zip(*inside, strict=True))) if inside else [0] * self.width

    def flatten(self) -> list[int]:
        """All tiles as one list of integers, `[index, *columns]` after one another."""
        flat: list[int] = []
        for index, tile in self.tiles.items():
            flat += (index, *tile)
        return flat

    def load(self, flat: list[int], newest: int) -> None:
        """Take the tiles of `flatten`, as of the newest event (ms)."""
        step = self.width + 1
        self.oldest = oldest = max(0, (newest - self.lengths[-1]) // self.hop)
        starts = range(0, len(flat), step)
        self.tiles = {flat[at]: flat[at + 1 : at + step] for at in starts if flat[at] >= oldest}
        self.windows = None


class CategoryTiles(msgspec.Struct, gc=False):
    """How many events named each category, by day (UTC), over one window.

    Attributes:
        length: length of the window, ms; the hop is a day.
        tiles: by day, then by category.
        oldest: index of the oldest day that the window can still reach.
    """

    length: int
    tiles: dict[int, dict[int, int]] = {}
    oldest: int = 0

    def keep_from(self, newest: int) -> None:
        """Drop the days that the window reaches no more as of the newest event (ms)."""
        oldest = (newest - self.length) // DAY
        if oldest > self.oldest:
            self.tiles = {index: tile for index, tile in self.tiles.items() if index >= oldest}
            self.oldest = oldest

    def add(self, timestamp: int, category: int) -> None:
        """Count one event that named `category`, unless its day has left the window."""
        index = timestamp // DAY
        if index >= self.oldest:
            tile = self.tiles.setdefault(index, {})
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
