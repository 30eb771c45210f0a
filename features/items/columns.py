"""The columns of an item's tiles: which level keeps one from, and what a fact adds to it.

A new column is one line at the end of `COLUMNS` (`features.columns` says why there).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from features.columns import Column, Tiles
from features.items.fact import Fact
from features.observation import MICRO, Kind
from features.tiles import DAY, MINUTE


class Measure(IntEnum):
    """A number that every fact has, in the order of `measures`."""

    ONE = 0
    """The fact itself."""
    AMOUNT = 1
    """Micro-units of money or rating, 0 when unknown."""
    UNITS = 2
    """Pieces of a purchase that has a price."""
    NOISY = 3
    """1 for a noisy text, else 0."""
    POLAR = 4
    """1 for a review that has a polarity, else 0."""
    POLARITY = 5
    """Micro-units of polarity, 0 for a review that has none."""
    TWICE_GAP = 6
    """Micro-units of (rating - 3) - 2 x polarity, 0 for a review without a polarity: halves would be no integers."""


_MIDDLE_RATING: Final = 3 * MICRO


def measures(fact: Fact) -> tuple[int, ...]:
    """Return every `Measure` of a fact, in their order."""
    amount, polarity = fact.amount or 0, fact.polarity
    if polarity is None:
        return 1, amount, fact.units, fact.noisy, 0, 0, 0
    return 1, amount, fact.units, fact.noisy, 1, polarity, amount - _MIDDLE_RATING - 2 * polarity


COLUMNS: Final = (
    Column("views", 5 * MINUTE, Kind.VIEW, Measure.ONE),
    Column("favorites", 5 * MINUTE, Kind.FAVORITE, Measure.ONE),
    Column("carts", 5 * MINUTE, Kind.CART, Measure.ONE),
    Column("removes", 5 * MINUTE, Kind.REMOVE, Measure.ONE),
    Column("purchases", 5 * MINUTE, Kind.PURCHASE, Measure.ONE),
    Column("refunds", 5 * MINUTE, Kind.REFUND, Measure.ONE),
    Column("reviews", 5 * MINUTE, Kind.REVIEW, Measure.ONE),
    Column("units", 5 * MINUTE, Kind.PURCHASE, Measure.UNITS),
    Column("revenue", 5 * MINUTE, Kind.PURCHASE, Measure.AMOUNT),
    Column("refunded", 5 * MINUTE, Kind.REFUND, Measure.AMOUNT),
    Column("rating", DAY, Kind.REVIEW, Measure.AMOUNT),
    Column("noisy_reviews", DAY, Kind.REVIEW, Measure.NOISY),
    Column("polar_reviews", DAY, Kind.REVIEW, Measure.POLAR),
    Column("polarity", DAY, Kind.REVIEW, Measure.POLARITY),
    Column("twice_gap", DAY, Kind.REVIEW, Measure.TWICE_GAP),
)
"""Every column in the order of its introduction. One that only long windows need costs the short tiles nothing."""

OF_A_HEAD: Final = ("polar_reviews", "polarity", "twice_gap")
"""Those that begin anew with the first polarity of another head. All are of the tiles of a day."""

TILES: Final = Tiles(COLUMNS)
FIVE_MINUTES, HOURS, DAYS = LAYOUTS = TILES.layouts
"""The layout of each level, the shortest hop first."""

WIDTHS: Final = TILES.widths
"""How wide the tiles of each level are."""
