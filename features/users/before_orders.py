"""Tiles of users of a time when orders were not known."""

from __future__ import annotations

from features.stored_tiles import Stored
from features.users.columns import LAYOUTS


def with_orders(stored: Stored) -> Stored:
    """Return tiles of a time when orders were not known, with an order of one piece for each purchase.

    Every purchase was an order of its own then, and most are of one piece. With none at all, mean values would be wrong
    for as long as a window reaches back. Where a tile does not say how many purchases had a price, all count.

    Args:
        stored: the tiles of each level, as wide as now.
    """
    for flat, layout in zip(stored, LAYOUTS, strict=True):
        counted = "priced_purchases" if "priced_purchases" in layout.names else "purchases"
        for column in ("orders", "units"):
            flat[layout.place(column) :: layout.width] = flat[layout.place(counted) :: layout.width]
    return stored
