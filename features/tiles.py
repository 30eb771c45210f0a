"""Tiles and sawtooth windows: mergeable partial aggregates that any order of arrival fills alike.

A window of length w with hop h covers `floor((T - w) / h) * h <= timestamp <= T`: the sawtooth window of
Chronon (https://chronon.ai/Tiled_Architecture.html). Its lower edge falls on a tile's edge, so a window is
the exact sum of whole tiles. T never precedes the newest event, so no tile has to be cut at its upper edge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

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


class Window:
    """The running sums of one window over the tiles of a level."""

    __slots__ = ("length", "lower", "sums")

    def __init__(self, length: int, width: int) -> None:
        self.length = length
        self.lower = 0
        """Index of the oldest tile that `sums` include."""
        self.sums = [0] * width


class TileLevel:
    """The tiles of one hop, with the windows that are summed from them.

    Args:
        hop: length of a tile, ms.
        width: how many columns a tile keeps.
        windows: lengths of the windows, ms, longest last.
    """

    __slots__ = ("hop", "oldest", "reach", "tiles", "width", "windows")

    def __init__(self, hop: int, width: int, windows: Iterable[int]) -> None:
        self.hop = hop
        self.width = width
        self.tiles: dict[int, list[int]] = {}
        self.windows = [Window(length, width) for length in windows]
        self.reach = self.windows[-1].length
        self.oldest = 0
        """Index of the oldest tile that a window can still reach."""

    def keep_from(self, newest: int) -> None:
        """Drop the tiles that no window reaches any more as of the newest event (ms)."""
        oldest = (newest - self.reach) // self.hop
        if oldest <= self.oldest:
            return
        for window in self.windows:
            if window.lower < oldest:
                self._move(window, oldest)
        self.tiles = {index: tile for index, tile in self.tiles.items() if index >= oldest}
        self.oldest = oldest

    def add(self, timestamp: int, deltas: Iterable[Delta]) -> None:
        """Add an event to its tile, unless the tile has left every window."""
        index = timestamp // self.hop
        if index < self.oldest:
            return
        width = self.width
        tile = self.tiles.get(index)
        if tile is None:
            tile = self.tiles[index] = [0] * width
        for column, amount in deltas:
            if column < width:
                tile[column] += amount
        for window in self.windows:
            if index >= window.lower:
                sums = window.sums
                for column, amount in deltas:
                    if column < width:
                        sums[column] += amount

    def advance(self, instant: int) -> None:
        """Bring the sums of every window to `instant` (ms), which is not before the newest event."""
        for window in self.windows:
            lower = (instant - window.length) // self.hop
            if lower != window.lower:
                self._move(window, lower)

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
            window.sums = self._sum_from(lower)
        window.lower = lower

    def _sum_from(self, lower: int) -> list[int]:
        inside = [tile for index, tile in self.tiles.items() if index >= lower]
        return [sum(column) for column in zip(*inside, strict=True)] if inside else [0] * self.width

    def flatten(self) -> list[int]:
        """All tiles as one list of integers, `[index, *columns]` after one another."""
        flat: list[int] = []
        for index, tile in self.tiles.items():
            flat.append(index)
            flat += tile
        return flat

    def load(self, flat: list[int]) -> None:
        """Take the tiles of `flatten`; `advance` then sums the windows."""
        step = self.width + 1
        self.tiles = {flat[at]: flat[at + 1 : at + step] for at in range(0, len(flat), step)}
        for window in self.windows:
            window.lower = 0
            window.sums = self._sum_from(0)


class CategoryTiles:
    """How many events named each category, by day (UTC), over one window.

    Args:
        length: length of the window, ms; the hop is a day.
    """

    __slots__ = ("length", "oldest", "tiles")

    def __init__(self, length: int) -> None:
        self.length = length
        self.tiles: dict[int, dict[int, int]] = {}
        self.oldest = 0

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
