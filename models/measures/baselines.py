"""The baselines that a forecast of spend has to beat: rules and models that need nothing but past orders.

Every baseline predicts money over the horizon, so that all can be held to the same measures, calibration included.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.exceptions import InvalidInputError
from models.libraries import library

Vector = NDArray[np.float64]

ZERO: Final = "zero"
PAST_SPEND: Final = "past_spend"
PAST_ORDERS: Final = "past_orders"
BG_NBD: Final = "bg_nbd"
BG_NBD_GAMMA_GAMMA: Final = "bg_nbd_gamma_gamma"
BOOSTING: Final = "boosting_rfm"
NAMES: Final = (ZERO, PAST_SPEND, PAST_ORDERS, BG_NBD, BG_NBD_GAMMA_GAMMA, BOOSTING)

_DAYS_A_WEEK: Final = 7.0
# The likelihoods are flat where few buy again: the first penalty under which the fit converges is taken.
_PENALTIES: Final = (0.0, 1e-4, 1e-3, 1e-2)
_TREES: Final = {
    "objective": "tweedie",
    "tweedie_variance_power": 1.5,
    "learning_rate": 0.05,
    "num_leaves": 8,
    "min_data_in_leaf": 40,
    "seed": 0,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}
_ROUNDS: Final = 100


@dataclass(frozen=True, eq=False)
class Histories:
    """The past orders of n users, summed up at a cut-off; every user has at least one.

    Attributes:
        orders: float64 [n], days with an order, the first included, >= 1.
        recency_days: float64 [n], from the first order to the last, >= 0.
        age_days: float64 [n], from the first order to the cut-off, >= recency.
        spend: float64 [n], money over all those orders, >= 0.

    Raises:
        InvalidInputError: shapes that differ, or numbers that are none of this.
    """

    orders: Vector
    recency_days: Vector
    age_days: Vector
    spend: Vector

    def __post_init__(self) -> None:
        columns = (self.orders, self.recency_days, self.age_days, self.spend)
        if self.orders.ndim != 1 or self.orders.size == 0 or len({column.shape for column in columns}) != 1:
            raise InvalidInputError(
                f"histories: expected four vectors of one length, at least 1, found {[list(c.shape) for c in columns]}"
            )
        possible = (self.orders >= 1) & (self.recency_days >= 0) & (self.age_days >= self.recency_days)
        if not (possible & (self.spend >= 0) & np.isfinite(np.sum(columns, axis=0))).all():
            raise InvalidInputError(
                "histories: expected finite numbers with orders >= 1, 0 <= recency <= age and spend >= 0, found "
                "others; leave out users without an order before the cut-off"
            )

    @property
    def mean_order(self) -> Vector:
        """Money per order: float64 [n]."""
        return self.spend / self.orders

    def matrix(self) -> Vector:
        """Recency, frequency and monetary value for a learner: float64 [n, 6]."""
        idle = self.age_days - self.recency_days
        columns = (self.orders, self.recency_days, self.age_days, idle, self.spend, self.mean_order)
        return np.stack(columns, axis=1)


def baselines(
    users: Histories, fit: Histories, spent: Vector, *, horizon_days: float, process: Histories | None = None
) -> dict[str, Vector]:
    """Predict what n users will spend over the horizon, by every baseline.

    Args:
        users: whom to predict, n of them.
        fit: m users of a known outcome, at their cut-off.
        spent: float64 [m], money each spent over the horizon after it.
        horizon_days: length of the horizon.
        process: the histories BG/NBD and Gamma-Gamma are fitted on, which need no outcome (default: `fit`).

    Returns:
        float64 [n] by name, money >= 0, in the order of `NAMES`:
        `zero`; `past_spend` and `past_orders`, times the ratio at which they turned into spend among `fit`;
        `bg_nbd`, expected orders (Fader, Hardie & Lee 2005) times the mean order value; `bg_nbd_gamma_gamma`, times
        the user's own expected order value (Fader & Hardie 2013); `boosting_rfm`, boosted trees with a Tweedie loss.

    Raises:
        InvalidInputError: shapes that differ, or a history whose process cannot be fitted.
        MissingLibraryError: lifetimes or lightgbm is not installed.
    """
    if spent.shape != fit.orders.shape or not np.isfinite(spent).all() or (spent < 0).any():
        raise InvalidInputError(
            f"spent: expected {fit.orders.size} finite amounts >= 0, one for each history, found {list(spent.shape)}"
        )
    known = fit if process is None else process
    expected_orders, order_value = bg_nbd_gamma_gamma(users, known, horizon_days=horizon_days)
    return {
        ZERO: np.zeros(users.orders.size),
        PAST_SPEND: users.spend * _ratio(spent, fit.spend),
        PAST_ORDERS: users.orders * _ratio(spent, fit.orders),
        BG_NBD: expected_orders * _ratio(known.spend, known.orders),
        BG_NBD_GAMMA_GAMMA: expected_orders * order_value,
        BOOSTING: _boosted(users, fit, spent),
    }


def bg_nbd_gamma_gamma(users: Histories, process: Histories, *, horizon_days: float) -> tuple[Vector, Vector]:
    """Fit both processes and return, of n users, the expected orders over the horizon and the expected order value.

    A user's order values are those of all orders, the first included, because most users have no later one.

    Args:
        users: whom to predict, n of them.
        process: the histories to fit on; no outcome is needed.
        horizon_days: length of the horizon.

    Returns:
        float64 [n] orders, >= 0; float64 [n] money per order, >= 0.

    Raises:
        InvalidInputError: neither fit converges.
        MissingLibraryError: lifetimes is not installed.
    """
    lifetimes = library("lifetimes")
    paid = process.spend > 0
    counts = _converged(
        lifetimes.BetaGeoFitter,
        process.orders - 1,
        process.recency_days / _DAYS_A_WEEK,
        process.age_days / _DAYS_A_WEEK,
    )
    values = _converged(lifetimes.GammaGammaFitter, process.orders[paid], process.mean_order[paid])
    with np.errstate(all="ignore"):
        orders = counts.conditional_expected_number_of_purchases_up_to_time(
            horizon_days / _DAYS_A_WEEK,
            users.orders - 1,
            users.recency_days / _DAYS_A_WEEK,
            users.age_days / _DAYS_A_WEEK,
        )
    worth = values.conditional_expected_average_profit(users.orders, users.mean_order)
    return np.maximum(np.nan_to_num(np.asarray(orders, np.float64)), 0.0), np.maximum(np.asarray(worth, np.float64), 0)


def _converged(fitter: Any, *columns: Vector) -> Any:
    """Fit under the least penalty that converges; the library prints when one does not, which is suppressed."""
    from lifetimes.utils import ConvergenceError

    for penalty in _PENALTIES:
        model = fitter(penalizer_coef=penalty)
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                return model.fit(*columns)
            except (ConvergenceError, np.linalg.LinAlgError):
                continue
    raise InvalidInputError(
        f"histories: expected orders that {fitter.__name__} can be fitted to, found that none of "
        f"{len(_PENALTIES)} penalties converges; pass more users"
    )


def _boosted(users: Histories, fit: Histories, spent: Vector) -> Vector:
    lightgbm = library("lightgbm")
    if not spent.any():
        return np.zeros(users.orders.size)
    trees = lightgbm.train(_TREES, lightgbm.Dataset(fit.matrix(), spent), _ROUNDS)
    return np.asarray(trees.predict(users.matrix()), dtype=np.float64)


def _ratio(total: Vector, base: Vector) -> float:
    """Return the sum of one over that of the other; 0 where there is nothing to go by."""
    return float(total.sum() / base.sum()) if base.sum() > 0 else 0.0
