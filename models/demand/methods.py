"""The methods that forecast daily units, and those that they have to beat; all of them of `statsforecast`.

A method is fitted to one series and tells the units of the days to come. What several methods tell is averaged to a
blend: with equal weights, since weights that are estimated from so little cost more than they bring (Claeskens,
Magnus, Vasnev and Wang, "The forecast combination puzzle: a simple theoretical explanation", International Journal of
Forecasting 32(3), 2016).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.libraries import library

Vector = NDArray[np.float64]

SEASON: Final = 7
"""Days after which a pattern of sales repeats itself."""

SMOOTHING: Final = 0.05
"""Weight of the newest day. Sales by day are mostly noise: a weight chosen by the error of one day ahead is three times
as great, follows every promotion, and is worse for sums."""

WINDOW: Final = 28
"""Days of the moving average."""

_MADE: Final[Mapping[str, Callable[[Any], Any]]] = {
    "naive": lambda of: of.Naive(),
    "seasonal_naive": lambda of: of.SeasonalNaive(season_length=SEASON),
    "moving_average": lambda of: of.WindowAverage(window_size=WINDOW),
    "ses": lambda of: of.SimpleExponentialSmoothing(alpha=SMOOTHING),
    "ses_optimised": lambda of: of.SimpleExponentialSmoothingOptimized(),
    "seasonal_ses": lambda of: of.SeasonalExponentialSmoothingOptimized(season_length=SEASON),
    "ets": lambda of: of.AutoETS(season_length=SEASON, model="ANA"),
    "theta": lambda of: of.Theta(season_length=SEASON),
    "tsb": lambda of: of.TSB(alpha_d=SMOOTHING, alpha_p=SMOOTHING),
    "sba": lambda of: of.CrostonSBA(),
    "adida": lambda of: of.ADIDA(),
    "imapa": lambda of: of.IMAPA(),
}

SINGLE: Final = tuple(_MADE)
"""The methods that are fitted."""

BASELINES: Final = ("naive", "seasonal_naive", "moving_average")
"""Those that a forecast has to beat. The seasonal naive one sums to what the last 7 days sold."""

BLENDS: Final[Mapping[str, tuple[str, ...]]] = {
    "blend": ("ses", "seasonal_ses", "tsb"),
    "blend_average": ("ses", "seasonal_ses", "tsb", "moving_average"),
    "blend_ets": ("ses", "seasonal_ses", "tsb", "ets"),
    "blend_intermittent": ("tsb", "sba", "adida", "imapa"),
    "blend_all": ("ses", "ses_optimised", "seasonal_ses", "ets", "theta", "tsb", "sba", "adida", "imapa"),
}
"""Methods whose forecasts are averaged."""

CHOSEN: Final = "blend"
"""What forecasts; `streams.offline.demand.backtest` chose it on the origins that are not judged."""


def parts(method: str) -> tuple[str, ...]:
    """Return the methods whose average a method is."""
    return BLENDS.get(method, (method,))


def fitted(names: tuple[str, ...]) -> dict[str, Callable[[Vector, int], Vector]]:
    """Return functions from a series, float64 [days], and a number of days to the units of those days, never below 0.

    Args:
        names: of `SINGLE`.

    Raises:
        MissingLibraryError: `statsforecast` is not installed.
    """
    of = library("statsforecast.models")
    return {name: _forecasting(_MADE[name](of)) for name in names}


def _forecasting(model: Any) -> Callable[[Vector, int], Vector]:
    def forecast(units: Vector, days: int) -> Vector:
        told: Vector = np.asarray(model.forecast(y=units, h=days)["mean"], dtype=np.float64)
        return np.maximum(told, 0.0)

    return forecast
