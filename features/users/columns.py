"""The columns of a user's tiles: which level keeps one from, and what an event adds to it.

A new column is one line at the end of `COLUMNS` (`features.columns` says why there).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from features.columns import Column, TileLayout, Tiles
from features.observation import Kind, Observation
from features.tiles import DAY, HOUR, MINUTE, Add


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


TILES: Final = Tiles(COLUMNS)
FIVE_MINUTES, HOURS, DAYS = LAYOUTS = TILES.layouts
"""The layout of each level, the shortest hop first."""

WIDTHS: Final = TILES.widths
"""How wide the tiles of each level are."""


def order_adds(layout: TileLayout) -> tuple[Add, ...]:
    """Return what an order adds to its tile of a layout, whichever event it is of."""
    return ((layout.place("orders"), int(Measure.ORDERS)),)
