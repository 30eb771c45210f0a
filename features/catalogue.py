"""The names, order and types of the features: the one list every other module follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from features.windows import WINDOWS

WINDOW_NAMES: Final = tuple(window.name for window in WINDOWS)
COUNTED: Final = ("views", "favorites", "carts", "purchases", "searches", "reviews")
PROFILE_WIDTH: Final = 64
"""Width of the profile vector, in float32 elements."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """One scalar feature: its name and whether it is an integer count (else a float64, null when unset)."""

    name: str
    integer: bool


def _scalars() -> tuple[Scalar, ...]:
    counts = [Scalar(f"{name}_{window}", True) for name in COUNTED for window in WINDOW_NAMES]
    spend = [Scalar(f"spend_{window}", False) for window in WINDOW_NAMES]
    return (
        *counts,
        *spend,
        Scalar("average_order_value_30d", False),
        Scalar("conversion_30d", False),
        Scalar("mean_viewed_price_7d", False),
        Scalar("mean_rating_30d", False),
        Scalar("noisy_reviews_30d", True),
        Scalar("lifetime_purchases", True),
        Scalar("lifetime_spend", False),
        Scalar("tenure_days", False),
        Scalar("days_since_last_purchase", False),
    )


SCALARS: Final = _scalars()
"""Every scalar feature, in the order of a feature row: 24 window counts, 4 spends, then the rest (37)."""

NAMES: Final = tuple(scalar.name for scalar in SCALARS)
INDEX: Final = {name: position for position, name in enumerate(NAMES)}
