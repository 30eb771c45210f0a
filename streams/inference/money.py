"""What the features of a shopper say about money: prices looked at, the worth of an order, and the price of a band."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.users.catalogue import NAMES
from features.users.row import Value

_FEATURES: Final = ("mean_viewed_price_7d", "average_order_value_30d", "lifetime_spend", "lifetime_orders")
_pick: Final = itemgetter(*map(NAMES.index, _FEATURES))


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


def money_of(rows: Iterable[Sequence[Value] | NDArray[np.float64]]) -> Money:
    """Return the amounts in rows, in the order of `features.users.catalogue.SCALARS`; None, or NaN, is null."""
    picked = np.array([_pick(row) for row in rows], dtype=np.float64).reshape(-1, len(_FEATURES))
    viewed, recent, spend, count = picked.T
    # Of what cost nothing, nothing can be said of its worth.
    orders = np.divide(spend, count, out=np.full(len(picked), np.nan), where=(count > 0) & (spend > 0))
    return Money(viewed, orders, np.where(np.isnan(recent), viewed, recent))
