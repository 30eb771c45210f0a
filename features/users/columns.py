"""The columns of a tile: which level keeps one from, and what an event adds to it.

A new column is one line at the end of `COLUMNS`, whichever levels keep it, and never one between the others: stored
tiles hold the columns of their level in the order of this table. A state says how many it was stored with, so a reader
takes those that were introduced later as zero (`features.users.codec`).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

from features.observation import Kind, Observation
from features.tiles import DAY, HOUR, INDEX, MINUTE, Add
from features.windows import LEVELS, Level


class Measure(IntEnum):
    """A number that every event has, in the order of `measures`."""

    ONE = 0
    """The event itself."""
    AMOUNT = 1
    """Micro-units of money or rating, 0 when unknown: the observer says which events have one."""
    KNOWN = 2
    """1 for an event whose amount is known, else 0."""
    NOISY = 3
    """1 for a noisy text, else 0."""
    UNITS = 4
    """Pieces of a purchase that has a price."""
    ORDERS = 5
    """1 for the line of an order at whose time the order counts, else 0. The state knows, and not the event."""


def measures(seen: Observation, orders: int) -> tuple[int, ...]:
    """Return every `Measure` of an event, in their order."""
    amount = seen.amount
    return 1, amount or 0, amount is not None, seen.noisy, seen.units, orders


MINUS_ONE_ORDER: Final = (0, 0, 0, 0, 0, -1)
"""The measures of an order that is taken out of its tile."""


class Column(NamedTuple):
    """One sum that tiles keep.

    Attributes:
        name: unique.
        hop: of the shortest tiles that keep it, ms; all longer ones keep it too.
        kind: the events that it sums; others leave it alone.
        measure: what it sums of them.
    """

    name: str
    hop: int
    kind: Kind
    measure: Measure


COLUMNS: Final = (
    Column("views", 5 * MINUTE, Kind.VIEW, Measure.ONE),
    Column("favorites", 5 * MINUTE, Kind.FAVORITE, Measure.ONE),
    Column("carts", 5 * MINUTE, Kind.CART, Measure.ONE),
    Column("purchases", 5 * MINUTE, Kind.PURCHASE, Measure.ONE),
    Column("searches", 5 * MINUTE, Kind.SEARCH, Measure.ONE),
    Column("reviews", 5 * MINUTE, Kind.REVIEW, Measure.ONE),
    Column("spend", 5 * MINUTE, Kind.PURCHASE, Measure.AMOUNT),
    Column("viewed_price", HOUR, Kind.VIEW, Measure.AMOUNT),
    Column("priced_views", HOUR, Kind.VIEW, Measure.KNOWN),
    Column("priced_purchases", DAY, Kind.PURCHASE, Measure.KNOWN),
    Column("rating", DAY, Kind.REVIEW, Measure.AMOUNT),
    Column("noisy_reviews", DAY, Kind.REVIEW, Measure.NOISY),
    Column("removes", 5 * MINUTE, Kind.REMOVE, Measure.ONE),
    Column("refunds", 5 * MINUTE, Kind.REFUND, Measure.ONE),
    Column("refunded", 5 * MINUTE, Kind.REFUND, Measure.AMOUNT),
    Column("orders", 5 * MINUTE, Kind.PURCHASE, Measure.ORDERS),
    Column("units", 5 * MINUTE, Kind.PURCHASE, Measure.UNITS),
)
"""Every column in the order of its introduction. One that only long windows need costs the short tiles nothing."""


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
    def order(self) -> tuple[Add, ...]:
        """What an order adds to its tile, whichever event it is of."""
        return ((self.place("orders"), int(Measure.ORDERS)),)

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


def layout(level: Level) -> TileLayout:
    """Return the layout of a level's tiles."""
    kept = [column for column in COLUMNS if column.hop <= level.hop]
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


FIVE_MINUTES, HOURS, DAYS = LAYOUTS = tuple(map(layout, LEVELS))
"""The layout of each level, the shortest hop first."""

WIDTHS: Final = tuple(one.width for one in LAYOUTS)
"""How wide the tiles of each level are."""
