"""The fields of the feature service `purchasing_power_v1`, written out: they stay when views gain features.

Models are trained on the columns of a service. One whose columns grew with a release would change what its readers get.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# Not derived from the catalogue: a feature that is added there must not appear here.
FIELDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "user_behavior": (
            *("views_1h", "views_24h", "views_7d", "views_30d"),
            *("favorites_1h", "favorites_24h", "favorites_7d", "favorites_30d"),
            *("carts_1h", "carts_24h", "carts_7d", "carts_30d"),
            *("purchases_1h", "purchases_24h", "purchases_7d", "purchases_30d"),
            *("searches_1h", "searches_24h", "searches_7d", "searches_30d"),
            *("reviews_1h", "reviews_24h", "reviews_7d", "reviews_30d"),
            *("spend_1h", "spend_24h", "spend_7d", "spend_30d"),
            *("average_order_value_30d", "conversion_30d", "mean_viewed_price_7d", "mean_rating_30d"),
            *("noisy_reviews_30d", "lifetime_purchases", "lifetime_spend"),
            *("tenure_days", "days_since_last_purchase"),
            *("event_time", "revision"),
        ),
        "user_profile": ("profile_vector", "encoder", "revision"),
        "purchasing_power": ("score", "expected_spend", "tier", "scorer", "revision"),
    }
)
"""By feature view, the names of its fields in their order."""
