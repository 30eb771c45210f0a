"""Customers at a cut-off: their feature row, their orders in numbers, and their spend after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.exceptions import InvalidInputError
from models.measures.baselines import Histories

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class CutOffRows:
    """The features of n customers with an order before a cut-off, and their spend after it.

    Attributes:
        customers: [n], ids.
        features: float64 [n] for each scalar of a feature row, by its name; NaN where null.
        rfm: float64 [n, 20], the columns of `models.backtest.two_part.rfm`.
        spent: float64 [n], money over the horizon, >= 0.
        horizon_days: days over which `spent` is summed, > 0.

    Raises:
        InvalidInputError: lengths that differ, no row, or a horizon that is not positive.
    """

    customers: NDArray[np.str_]
    features: Mapping[str, Vector]
    rfm: Vector
    spent: Vector
    horizon_days: float

    def __post_init__(self) -> None:
        lengths = {len(self.customers), len(self.rfm), len(self.spent), *map(len, self.features.values())}
        if len(lengths) != 1 or lengths == {0} or not self.horizon_days > 0:
            raise InvalidInputError(
                f"backtest rows: expected columns of one length, at least 1, and a positive horizon, found lengths "
                f"{sorted(lengths)} and {self.horizon_days:g} days; pass customers with an order before the cut-off"
            )

    def of(self, customers: NDArray[np.str_]) -> Self:
        """Return the rows of these customers, those without a row left out.

        Raises:
            InvalidInputError: none of them has a row.
        """
        chosen = np.isin(self.customers, customers)
        return type(self)(
            customers=self.customers[chosen],
            features={name: column[chosen] for name, column in self.features.items()},
            rfm=self.rfm[chosen],
            spent=self.spent[chosen],
            horizon_days=self.horizon_days,
        )

    def spent_over(self, horizon_days: float) -> Vector:
        """Return the spend at the rate of this horizon over another one: float64 [n]."""
        return self.spent * (horizon_days / self.horizon_days)

    @property
    def histories(self) -> Histories:
        """The past orders, as the baselines read them; all of it stands in the feature row."""
        age = self.features["tenure_days"]
        return Histories(
            orders=self.features["lifetime_purchases"],
            recency_days=np.maximum(age - self.features["days_since_last_purchase"], 0.0),
            age_days=age,
            spend=self.features["lifetime_spend"],
        )
