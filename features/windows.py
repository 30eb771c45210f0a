"""The sawtooth windows of the features: name, length and hop of each, stated once."""

from __future__ import annotations

from typing import Final, NamedTuple

from features.tiles import DAY, HOUR, MINUTE


class Window(NamedTuple):
    """A sawtooth window, as `features.tiles` defines it.

    Attributes:
        name: as features carry it behind the last underscore of their names.
        length: ms, a multiple of the hop.
        hop: length of the tiles that it is summed from, ms.
    """

    name: str
    length: int
    hop: int


WINDOWS: Final = (
    Window("1h", HOUR, 5 * MINUTE),
    Window("24h", DAY, HOUR),
    Window("7d", 7 * DAY, HOUR),
    Window("30d", 30 * DAY, DAY),
)
"""Every window, the shortest first: an event leaves them in this order."""


class Level(NamedTuple):
    """The windows that are summed from the same tiles.

    Attributes:
        hop: length of the tiles, ms.
        windows: the shortest first.
    """

    hop: int
    windows: tuple[Window, ...]

    @property
    def lengths(self) -> tuple[int, ...]:
        """The lengths of the windows, ms."""
        return tuple(window.length for window in self.windows)


LEVELS: Final = tuple(
    Level(hop, tuple(window for window in WINDOWS if window.hop == hop))
    for hop in sorted({window.hop for window in WINDOWS})
)
"""The levels of tiles, the shortest hop first: those of five minutes, of an hour and of a day."""
