"""The backtest's model: the mean rate of spending, log-linear in how fast a shopper's past orders fade.

log E[spend] = b + w'z, with z the standardised logarithms of what a feature row says of purchases, and of the orders
and the spend that remain when each order fades by half in 30, 60 or 120 days. It is fitted by the deviance of
Tweedie's distribution (Tweedie 1984; power 1.5, a compound of Poisson counts and Gamma amounts), which has a mass at
zero and weighs great amounts less than squared error does. The mean of the money is fitted and not that of its
logarithm, so that predictions can be added up. The columns are few and penalised, because the data is small: 2,000
customers, and 70 % of them spend nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.backtest.rows import CutOffRows
from models.exceptions import InvalidInputError
from models.libraries import library
from models.scoring.kinds.derived import HALF_LIVES_DAYS, orders_left

Vector = NDArray[np.float64]

POWER: Final = 1.5
PENALTY: Final = 0.2
FEATURES: Final = (
    "lifetime_purchases",
    "lifetime_spend",
    "tenure_days",
    "days_since_last_purchase",
    "purchases_30d",
    "spend_30d",
)
"""The scalars of a feature row that the model reads."""

_STEPS: Final = 2000


def design(features: Mapping[str, Vector]) -> Vector:
    """Return the columns of the model before they are standardised.

    A feature row has no list of orders. Their fading is exact for one or two, whose times are the first and the last;
    the orders between are taken as spread evenly.

    Args:
        features: float64 [n] by name, at least `FEATURES`.

    Returns:
        float64 [n, 14].

    Raises:
        InvalidInputError: a feature is missing, or a customer has no purchase.
    """
    missing = [name for name in FEATURES if name not in features]
    if missing:
        raise InvalidInputError(f"features: expected {', '.join(FEATURES)}, found none named {', '.join(missing)}")
    orders, spend, age, idle, orders_30d, spend_30d = (features[name] for name in FEATURES)
    if not (np.isfinite(idle) & (orders >= 1)).all():
        raise InvalidInputError("features: expected customers with a purchase, found some without; leave them out")
    mean_order = spend / orders
    columns = [orders, age - idle, age, idle, spend, mean_order, orders_30d, spend_30d]
    for half_life in HALF_LIVES_DAYS:
        left = orders_left(orders, age, idle, half_life)
        columns += [left, left * mean_order]
    logs: Vector = np.log1p(np.stack(columns, axis=1))
    return logs


def fit_decayed_rate(rows: Sequence[CutOffRows], horizon_days: float) -> Callable[[Mapping[str, Vector]], Vector]:
    """Fit to the rows of one or more cut-offs; a row's weight is its horizon divided by the one to predict.

    Args:
        rows: at least one cut-off, each with its own horizon.
        horizon_days: the horizon to predict.

    Returns:
        From the features of n customers (float64 [n] by name) to their expected spend: float64 [n], > 0.

    Raises:
        InvalidInputError: no spend at all, or features that do not fit.
        MissingLibraryError: scikit-learn is not installed.
    """
    pipeline, preprocessing = library("sklearn.pipeline"), library("sklearn.preprocessing")
    tweedie = library("sklearn.linear_model").TweedieRegressor
    matrix = np.vstack([design(part.features) for part in rows])
    spent = np.concatenate([part.spent_over(horizon_days) for part in rows])
    weights = np.concatenate([np.full(len(part.spent), part.horizon_days / horizon_days) for part in rows])
    unit = float(np.average(spent, weights=weights))
    if not unit > 0:
        raise InvalidInputError("spent: expected some spend to fit to, found none; check the cut-off")
    model = pipeline.make_pipeline(
        preprocessing.StandardScaler(), tweedie(power=POWER, alpha=PENALTY, link="log", max_iter=_STEPS)
    )
    # In units of the mean the penalty means the same in every currency.
    model.fit(matrix, spent / unit, tweedieregressor__sample_weight=weights)
    return lambda features: np.asarray(model.predict(design(features)) * unit, dtype=np.float64)
