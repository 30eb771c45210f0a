"""The first model that was tried, kept as a baseline: whether a customer buys again, times how much."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.exceptions import InvalidInputError
from models.libraries import library

Vector = NDArray[np.float64]

RFM_WINDOWS_DAYS: Final = (30, 60, 91)
RFM_COLUMNS: Final = 20

_STEPS: Final = 1000


def rfm(days: Vector, dollars: Vector, units: Vector) -> list[float]:
    """Return recency, frequency and monetary value of one customer, in 20 numbers.

    Args:
        days: float64 [k], from each order to the cut-off, falling (the first order first); k >= 1.
        dollars: float64 [k], of each order.
        units: float64 [k], pieces in each order.
    """
    gaps = -np.diff(days) if len(days) > 1 else np.zeros(1)
    row = [
        *(len(days), days[0] - days[-1], days[0], days[-1], dollars.sum(), dollars.mean()),
        *(dollars[-1], dollars[0], dollars.max(), dollars.std(), units.sum(), dollars.sum() / max(units.sum(), 1.0)),
        *(gaps.mean(), gaps[-1]),
    ]
    for window in RFM_WINDOWS_DAYS:
        inside = days <= window
        row += [inside.sum(), dollars[inside].sum()]
    return [float(value) for value in row]


def two_part(fit: Vector, spent: Vector, users: Vector) -> Vector:
    """Predict spend as P(spend > 0), by logistic regression, times a log-normal amount, by linear regression.

    Source of the decomposition: Duan et al. 1983, "A comparison of alternative models for the demand for medical
    care". The product is scaled so that over the rows it was fitted on it sums to what was spent.

    Args:
        fit: float64 [m, 20], of `rfm`.
        spent: float64 [m], money over the horizon, >= 0.
        users: float64 [n, 20].

    Returns:
        float64 [n], money, > 0.

    Raises:
        InvalidInputError: fewer than two customers who spent, or none who did not.
        MissingLibraryError: scikit-learn is not installed.
    """
    linear, preprocessing = library("sklearn.linear_model"), library("sklearn.preprocessing")
    bought = spent > 0
    if bought.sum() < 2 or bought.all():
        raise InvalidInputError("spent: expected customers who spent and who did not, found one kind; pass more")
    scaler = preprocessing.StandardScaler().fit(np.log1p(fit))
    known, asked = scaler.transform(np.log1p(fit)), scaler.transform(np.log1p(users))
    chance = linear.LogisticRegression(max_iter=_STEPS).fit(known, bought)
    amount = linear.Ridge().fit(known[bought], np.log(spent[bought]))

    def product(rows: Vector) -> Vector:
        expected: Vector = chance.predict_proba(rows)[:, 1] * np.exp(amount.predict(rows))
        return expected

    return product(asked) * float(spent.sum() / product(known).sum())
