"""What the features of a shopper say about money: prices looked at, the worth of an order, and the price of a band."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.catalogue import NAMES

_VIEWED: Final = NAMES.index("mean_viewed_price_7d")
_RECENT: Final = NAMES.index("average_order_value_30d")
_SPEND: Final = NAMES.index("lifetime_spend")
_PURCHASES: Final = NAMES.index("lifetime_purchases")


class Money(NamedTuple):
    """Amounts of n rows, in the deployment's currency: float64 [n] each, NaN where unknown.

    Attributes:
        viewed: mean price of what was viewed in 7 days.
        orders: mean value of all orders so far.
        prices: what the shipped table of labels calls `price`.
    """

    viewed: NDArray[np.float64]
    orders: NDArray[np.float64]
    prices: NDArray[np.float64]


def money_of(values: NDArray[np.float64]) -> Money:
    """Return the amounts in rows: float64 [n, k], in the order of `features.catalogue.SCALARS`, NaN for null."""
    viewed, recent = values[:, _VIEWED], values[:, _RECENT]
    purchases, spend = values[:, _PURCHASES], values[:, _SPEND]
    # Purchases without a price leave no spend, and nothing can be said of their worth.
    orders = np.divide(spend, purchases, out=np.full(len(values), np.nan), where=(purchases > 0) & (spend > 0))
    return Money(viewed, orders, np.where(np.isnan(recent), viewed, recent))
