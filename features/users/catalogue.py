"""The catalogue of scalar features, one line each: names, order, types and values, which every other module follows.

A new feature is one line here, and one in `features.users.columns` if it needs a sum that tiles do not keep yet. The
page docs/architecture.md says what goes with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from features.expressions import DaysSince, Difference, Expression, Kept, Ratio, Sum, Units
from features.observation import Kind, Source, source_of
from features.windows import WINDOWS

PROFILE_WIDTH: Final = 64
"""Width of the profile and of the taste vector, in float32 elements."""

COUNT: Final = True
NUMBER: Final = False
"""The two types: an integer that is never null, and a float64 that may be."""


class Transform(StrEnum):
    """What a scorer does to a feature before it standardises it."""

    IDENTITY = "identity"
    """For what is bounded: ratios and ratings."""
    SIGNED_LOG1P = "signed_log1p"
    """For what is heavy-tailed: counts, money and days."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """One scalar feature.

    Attributes:
        name: as it is served.
        integer: whether it is an integer count (`COUNT`), else a float64, null when unset (`NUMBER`).
        value: what it is, as of T.
        transform: for scorers.
    """

    name: str
    integer: bool
    value: Expression
    transform: Transform = Transform.SIGNED_LOG1P

    @property
    def sources(self) -> frozenset[Source]:
        """The topics whose events decide it."""
        return frozenset(map(source_of, self.value.kinds))


def _per_window(name: str, integer: bool, value: Callable[[str], Expression]) -> Iterator[Scalar]:
    """Yield one feature for each window; the window's name replaces the W of `name`."""
    for window in WINDOWS:
        yield Scalar(name.removesuffix("W") + window.name, integer, value(window.name))


_PURCHASE: Final = frozenset({Kind.PURCHASE})
_REFUND: Final = frozenset({Kind.REFUND})
_ANY: Final = frozenset(Kind)

SCALARS: Final = (
    *_per_window("views_W", COUNT, lambda window: Sum("views", window)),
    *_per_window("favorites_W", COUNT, lambda window: Sum("favorites", window)),
    *_per_window("carts_W", COUNT, lambda window: Sum("carts", window)),
    *_per_window("purchases_W", COUNT, lambda window: Sum("purchases", window)),
    *_per_window("searches_W", COUNT, lambda window: Sum("searches", window)),
    *_per_window("reviews_W", COUNT, lambda window: Sum("reviews", window)),
    *_per_window("spend_W", NUMBER, lambda window: Units(Sum("spend", window))),
    Scalar("average_order_value_30d", NUMBER, Ratio(Units(Sum("spend", "30d")), Sum("orders", "30d"))),
    Scalar("conversion_30d", NUMBER, Ratio(Sum("purchases", "30d"), Sum("views", "30d")), Transform.IDENTITY),
    Scalar("mean_viewed_price_7d", NUMBER, Ratio(Units(Sum("viewed_price", "7d")), Sum("priced_views", "7d"))),
    Scalar("mean_rating_30d", NUMBER, Ratio(Units(Sum("rating", "30d")), Sum("reviews", "30d")), Transform.IDENTITY),
    Scalar("noisy_reviews_30d", COUNT, Sum("noisy_reviews", "30d")),
    Scalar("lifetime_purchases", COUNT, Kept("lifetime_purchases", _PURCHASE)),
    Scalar("lifetime_spend", NUMBER, Units(Kept("lifetime_spend", _PURCHASE))),
    Scalar("tenure_days", NUMBER, DaysSince("oldest", _ANY)),
    Scalar("days_since_last_purchase", NUMBER, DaysSince("last_purchase", _PURCHASE)),
    *_per_window("removes_W", COUNT, lambda window: Sum("removes", window)),
    *_per_window("refunds_W", COUNT, lambda window: Sum("refunds", window)),
    *_per_window("refunded_W", NUMBER, lambda window: Units(Sum("refunded", window))),
    *_per_window("orders_W", COUNT, lambda window: Sum("orders", window)),
    *_per_window("units_W", COUNT, lambda window: Sum("units", window)),
    Scalar("net_spend_30d", NUMBER, Units(Difference(Sum("spend", "30d"), Sum("refunded", "30d")))),
    Scalar("mean_paid_30d", NUMBER, Ratio(Units(Sum("spend", "30d")), Sum("units", "30d"))),
    Scalar("lifetime_orders", COUNT, Kept("lifetime_orders", _PURCHASE)),
    Scalar("lifetime_refunded", NUMBER, Units(Kept("lifetime_refunded", _REFUND))),
)
"""Every scalar feature, in the order of a feature row. New ones come last: the others keep their places in a row."""

NAMES: Final = tuple(scalar.name for scalar in SCALARS)
TRANSFORMS: Final = {scalar.name: scalar.transform for scalar in SCALARS}
INDEX: Final = {name: position for position, name in enumerate(NAMES)}
