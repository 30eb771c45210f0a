"""What each feature speaks of, in words for people: contributions of features that overlap are added up by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Family:
    """Features that speak of one thing.

    Attributes:
        name: what they speak of.
        headline: the feature that says it in one number; None if none does.
        starts: what their names start with.
    """

    name: str
    headline: str | None
    starts: tuple[str, ...]


_RECENT: Final = (
    *("purchases_", "spend_", "average_order_value_", "orders_", "units_", "mean_paid_"),
    *("refunds_", "refunded_", "net_spend_"),
)

OTHER: Final = Family("other", None, ("",))
FAMILIES: Final = (
    Family("all orders so far", "lifetime_spend", ("lifetime_",)),
    Family("recent orders", "purchases_30d", _RECENT),
    Family("time and the last order", "days_since_last_purchase", ("days_since_last_purchase", "tenure_days")),
    Family(
        "browsing", "views_30d", ("views_", "favorites_", "carts_", "removes_", "conversion_", "mean_viewed_price_")
    ),
    Family("words of what was clicked", None, ("taste_vector",)),
    Family(
        "searches, reviews and texts",
        "searches_30d",
        ("searches_", "reviews_", "mean_rating_", "noisy_reviews_", "profile_vector"),
    ),
    OTHER,
)
"""The families, `other` last: it takes what none before it knows."""


def family_of(feature: str) -> Family:
    """Return the family of a feature, by its name."""
    return next(family for family in FAMILIES if feature.startswith(family.starts))
