"""The scalar features of a user, one line each: names, order, types and values, which every other module follows.

A new feature is one line here, and one in `features.users.columns` if it needs a sum that tiles do not keep yet. The
page docs/architecture.md says what goes with it.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from features import expressions
from features.expressions import DaysSince, Difference, Kept, Ratio, Units
from features.observation import Kind
from features.scalars import COUNT, NUMBER, Scalar, Transform, per_window
from features.text_sum import PROFILE_WIDTH as PROFILE_WIDTH
from features.users.columns import TILES

Sum: Final = partial(expressions.Sum, TILES)
"""Of a column of a user's tiles over a window."""

_PURCHASE: Final = frozenset({Kind.PURCHASE})
_REFUND: Final = frozenset({Kind.REFUND})
_ANY: Final = frozenset(Kind)

SCALARS: Final = (
    *per_window("views_W", COUNT, lambda window: Sum("views", window)),
    *per_window("favorites_W", COUNT, lambda window: Sum("favorites", window)),
    *per_window("carts_W", COUNT, lambda window: Sum("carts", window)),
    *per_window("purchases_W", COUNT, lambda window: Sum("purchases", window)),
    *per_window("searches_W", COUNT, lambda window: Sum("searches", window)),
    *per_window("reviews_W", COUNT, lambda window: Sum("reviews", window)),
    *per_window("spend_W", NUMBER, lambda window: Units(Sum("spend", window))),
    Scalar("average_order_value_30d", NUMBER, Ratio(Units(Sum("spend", "30d")), Sum("orders", "30d"))),
    Scalar("conversion_30d", NUMBER, Ratio(Sum("purchases", "30d"), Sum("views", "30d")), Transform.IDENTITY),
    Scalar("mean_viewed_price_7d", NUMBER, Ratio(Units(Sum("viewed_price", "7d")), Sum("priced_views", "7d"))),
    Scalar("mean_rating_30d", NUMBER, Ratio(Units(Sum("rating", "30d")), Sum("reviews", "30d")), Transform.IDENTITY),
    Scalar("noisy_reviews_30d", COUNT, Sum("noisy_reviews", "30d")),
    Scalar("lifetime_purchases", COUNT, Kept("lifetime_purchases", _PURCHASE)),
    Scalar("lifetime_spend", NUMBER, Units(Kept("lifetime_spend", _PURCHASE))),
    Scalar("tenure_days", NUMBER, DaysSince("oldest", _ANY)),
    Scalar("days_since_last_purchase", NUMBER, DaysSince("last_purchase", _PURCHASE)),
    *per_window("removes_W", COUNT, lambda window: Sum("removes", window)),
    *per_window("refunds_W", COUNT, lambda window: Sum("refunds", window)),
    *per_window("refunded_W", NUMBER, lambda window: Units(Sum("refunded", window))),
    *per_window("orders_W", COUNT, lambda window: Sum("orders", window)),
    *per_window("units_W", COUNT, lambda window: Sum("units", window)),
    Scalar("net_spend_30d", NUMBER, Units(Difference(Sum("spend", "30d"), Sum("refunded", "30d")))),
    Scalar("mean_paid_30d", NUMBER, Ratio(Units(Sum("spend", "30d")), Sum("units", "30d"))),
    Scalar("lifetime_orders", COUNT, Kept("lifetime_orders", _PURCHASE)),
    Scalar("lifetime_refunded", NUMBER, Units(Kept("lifetime_refunded", _REFUND))),
)
"""Every scalar feature, in the order of a feature row. New ones come last: the others keep their places in a row."""

NAMES: Final = tuple(scalar.name for scalar in SCALARS)
TRANSFORMS: Final = {scalar.name: scalar.transform for scalar in SCALARS}
INDEX: Final = {name: position for position, name in enumerate(NAMES)}
