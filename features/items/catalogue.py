"""The scalar features of an item, one line each: names, order, types and values, which every other module follows.

A new feature is one line here, and one in `features.items.columns` if it needs a sum that tiles do not keep yet.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from features import expressions
from features.expressions import DaysSince, Half, Kept, Ratio, Shrunk, Units
from features.items.columns import TILES
from features.observation import Kind
from features.scalars import COUNT, NUMBER, Scalar, Transform, per_window

Sum: Final = partial(expressions.Sum, TILES)
"""Of a column of an item's tiles over a window."""

POLARITY_PRIOR: Final = 5
"""Reviews of polarity 0 that every item is taken to have besides its own, so that few do not make an extreme."""

_PURCHASE: Final = frozenset({Kind.PURCHASE})
_ANY: Final = frozenset(Kind) - {Kind.SEARCH}

SCALARS: Final = (
    *per_window("views_W", COUNT, lambda window: Sum("views", window)),
    *per_window("favorites_W", COUNT, lambda window: Sum("favorites", window)),
    *per_window("carts_W", COUNT, lambda window: Sum("carts", window)),
    *per_window("removes_W", COUNT, lambda window: Sum("removes", window)),
    *per_window("purchases_W", COUNT, lambda window: Sum("purchases", window)),
    *per_window("refunds_W", COUNT, lambda window: Sum("refunds", window)),
    *per_window("reviews_W", COUNT, lambda window: Sum("reviews", window)),
    *per_window("units_W", COUNT, lambda window: Sum("units", window)),
    *per_window("revenue_W", NUMBER, lambda window: Units(Sum("revenue", window))),
    *per_window("refunded_W", NUMBER, lambda window: Units(Sum("refunded", window))),
    Scalar("conversion_7d", NUMBER, Ratio(Sum("purchases", "7d"), Sum("views", "7d")), Transform.IDENTITY),
    Scalar("mean_paid_30d", NUMBER, Ratio(Units(Sum("revenue", "30d")), Sum("units", "30d"))),
    Scalar("mean_rating_30d", NUMBER, Ratio(Units(Sum("rating", "30d")), Sum("reviews", "30d")), Transform.IDENTITY),
    Scalar(
        "polarity_30d",
        NUMBER,
        Shrunk(Units(Sum("polarity", "30d")), Sum("polar_reviews", "30d"), POLARITY_PRIOR),
        Transform.IDENTITY,
    ),
    Scalar(
        "rating_text_gap_30d",
        NUMBER,
        Ratio(Half(Units(Sum("twice_gap", "30d"))), Sum("polar_reviews", "30d")),
        Transform.IDENTITY,
    ),
    Scalar("noisy_share_30d", NUMBER, Ratio(Sum("noisy_reviews", "30d"), Sum("reviews", "30d")), Transform.IDENTITY),
    Scalar("lifetime_purchases", COUNT, Kept("lifetime_purchases", _PURCHASE)),
    Scalar("lifetime_revenue", NUMBER, Units(Kept("lifetime_revenue", _PURCHASE))),
    Scalar("tenure_days", NUMBER, DaysSince("oldest", _ANY)),
)
"""Every scalar feature, in the order of a feature row. New ones come last: the others keep their places in a row."""

NAMES: Final = tuple(scalar.name for scalar in SCALARS)
INDEX: Final = {name: position for position, name in enumerate(NAMES)}
OF_A_HEAD: Final = ("polarity_30d", "rating_text_gap_30d")
"""Those that a polarity head decides: null under another head than theirs."""
