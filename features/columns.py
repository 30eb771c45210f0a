"""How the tiles of an entity are laid out: the columns of its table, by the level that keeps them.

A table has one line a column. A new column is one line at the end, whichever levels keep it, and never one between the
others: stored tiles hold the columns of their level in the order of the table. A state says how many it was stored
with, so a reader takes those that were introduced later as zero (`features.stored_tiles`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from features.observation import Kind
from features.tiles import INDEX, Add
from features.windows import LEVELS, Level


class Column(NamedTuple):
    """One sum that tiles keep.

    Attributes:
        name: unique.
        hop: of the shortest tiles that keep it, ms; all longer ones keep it too.
        kind: the events that it sums; others leave it alone.
        measure: what it sums of them: a place among the measures of an event of this entity.
    """

    name: str
    hop: int
    kind: Kind
    measure: int


class TileLayout(NamedTuple):
    """How the tiles of one level are laid out: `[index, *columns]`.

    Attributes:
        level: whose tiles they are.
        names: of the columns, in their order.
        adds: by the number of a `Kind`, what an event of that kind adds to its tile.
    """

    level: Level
    names: tuple[str, ...]
    adds: tuple[tuple[Add, ...], ...]

    @property
    def width(self) -> int:
        """How many integers a tile has, its index included."""
        return len(self.names) + 1

    def place(self, name: str) -> int:
        """Return where in a tile a column stands.

        Raises:
            ValueError: no column of this level has that name.
        """
        return self.names.index(name) + INDEX + 1


def layout(level: Level, columns: tuple[Column, ...]) -> TileLayout:
    """Return the layout of a level's tiles, of all columns of an entity."""
    kept = [column for column in columns if column.hop <= level.hop]
    placed = list(enumerate(kept, INDEX + 1))
    return TileLayout(
        level,
        names=tuple(column.name for column in kept),
        # As plain integers, which are faster to index by than members of an enumeration.
        adds=tuple(
            tuple((place, int(column.measure)) for place, column in placed if column.kind == kind)
            for kind in range(max(Kind) + 1)
        ),
    )


@dataclass(frozen=True, slots=True)
class Tiles:
    """All tiles of an entity.

    Attributes:
        columns: every column, in the order of their introduction.
        layouts: of each level, the shortest hop first.
    """

    columns: tuple[Column, ...]
    layouts: tuple[TileLayout, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "layouts", tuple(layout(level, self.columns) for level in LEVELS))

    @property
    def widths(self) -> tuple[int, ...]:
        """How wide the tiles of each level are."""
        return tuple(one.width for one in self.layouts)

    def layout_of(self, window: str) -> TileLayout:
        """Return the layout of the tiles that a window, by its name, is summed from."""
        return next(one for one in self.layouts if any(window == other.name for other in one.level.windows))

    def kind_of(self, column: str) -> Kind:
        """Return the kind of events that a column sums."""
        return next(one.kind for one in self.columns if one.name == column)
