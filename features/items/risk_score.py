"""Risk of an item's reviews: evidence and a score of it, never a verdict; nothing is removed because of it."""

from __future__ import annotations

from typing import Any, Protocol

from features.items.review_memory import ReviewMemory
from features.tiles import TileLevel


class Reviewed(Protocol):
    """What of an item's state risk is told from.

    Attributes:
        oldest: time of the oldest fact, ms; None before the first.
        by_hour, by_day: its tiles, with columns `purchases` and `reviews` (`features.items.columns`).
        reviews: the last ones.
    """

    oldest: int | None
    by_hour: TileLevel
    by_day: TileLevel
    reviews: ReviewMemory


def risk_block(state: Reviewed, instant: int) -> dict[str, Any] | None:
    """Return the block `risk` of an item's record; None for an item without a review in 30 days.

    Args:
        state: of the item.
        instant: T, ms.
    """
    raise NotImplementedError
