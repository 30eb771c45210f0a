"""The origin of a scorer: the shop, the currency and the range of money that it was fitted on."""

from __future__ import annotations

from itertools import pairwise
from math import isfinite
from typing import Final, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

LEVELS: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
"""The quantiles that are kept of an amount. Nine tenths of the shoppers lie between the first and the last."""

BAND_LEVELS: Final = (0.25, 0.5, 0.9)
"""Where price bands end: a quarter is `entry`, a quarter `mid`, four tenths `premium`, and one tenth `luxury`."""

LEAST_AMOUNTS: Final = 10
"""Quantiles of fewer say nothing. As many shoppers of the same shop lie mostly outside of the range by a chance below
1 in 5,000, if one of 10 does."""

LEAST_ALIKE: Final = 4
"""Of fewer than `LEAST_AMOUNTS`, so many say something if all lie outside: by chance that is 1 in 10,000."""


class Origin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a scorer comes from; amounts are in `currency`.

    Attributes:
        shop: in words; empty where nobody named it.
        currency: of all money that it was fitted on.
        viewed_prices: what a shopper's views cost on average, at `LEVELS`; empty where too few are known.
        order_values: what a shopper's orders are worth on average, at `LEVELS`; empty where too few are known.
        price_bounds: where the price bands `entry`, `mid` and `premium` end, rising; empty where too few are known.

    Raises:
        ValueError: a currency that nobody can print; amounts that are not finite, negative, or do not rise.
    """

    shop: str
    currency: str
    viewed_prices: list[float] = []
    order_values: list[float] = []
    price_bounds: list[float] = []

    def __post_init__(self) -> None:
        if not self.currency or not self.currency.isprintable():
            raise ValueError("currency: expected a printable code such as USD, found another text")
        for name, length in (("viewed_prices", len(LEVELS)), ("order_values", len(LEVELS)), ("price_bounds", 3)):
            amounts: list[float] = getattr(self, name)
            rising = all(low <= high for low, high in pairwise([0.0, *amounts]))
            if len(amounts) not in (0, length) or not rising or not all(map(isfinite, amounts)):
                raise ValueError(f"{name}: expected no or {length} rising amounts >= 0, found {len(amounts)} others")

    @classmethod
    def fit(
        cls,
        shop: str,
        currency: str,
        *,
        viewed: NDArray[np.float64],
        orders: NDArray[np.float64],
        prices: NDArray[np.float64],
    ) -> Self:
        """Measure the money of the training rows.

        Args:
            shop: in words.
            currency: of the amounts.
            viewed: float64 [n], the mean price of what each shopper viewed, NaN where unknown.
            orders: float64 [n], the mean value of each shopper's orders, NaN where unknown.
            prices: float64 [m], the price that the price band of a row goes by, NaN where unknown.
        """
        return cls(
            shop=shop,
            currency=currency,
            viewed_prices=_quantiles(viewed, LEVELS),
            order_values=_quantiles(orders, LEVELS),
            price_bounds=_quantiles(prices, BAND_LEVELS),
        )


def beyond(amounts: NDArray[np.float64], levels: list[float]) -> float | None:
    """Return which share of amounts lies outside of the middle nine tenths.

    Args:
        amounts: float64 [n], NaN where unknown.
        levels: as an `Origin` keeps them, at `LEVELS`.

    Returns:
        None where too few are known to tell.
    """
    known = amounts[~np.isnan(amounts)]
    if not levels or known.size < LEAST_ALIKE:
        return None
    outside = (known < levels[0]) | (known > levels[-1])
    return float(outside.mean()) if known.size >= LEAST_AMOUNTS or outside.all() else None


def _quantiles(amounts: NDArray[np.float64], levels: tuple[float, ...]) -> list[float]:
    known = amounts[~np.isnan(amounts)]
    # Amounts that occur: a mean of two would have digits that no price has.
    return [] if known.size < LEAST_AMOUNTS else np.quantile(known, levels, method="inverted_cdf").tolist()
