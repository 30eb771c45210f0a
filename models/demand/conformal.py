"""Intervals of a sum of days, out of the errors that the same forecasts made before.

The interval of a sum is not the sum of the intervals of its days: errors of days go together. So the errors are those
of sums. Each is divided by the spread of its series, and the errors of all series of a pattern at the latest origins
whose days are over are one pool, because a series alone has too few. The interval is the forecast plus two quantiles
of the pool, times the spread: split conformal prediction with locally weighted errors (Lei, G'Sell, Rinaldo,
Tibshirani and Wasserman, "Distribution-free predictive inference for regression", JASA 113(523), 2018, section 5.2),
with a quantile of its own on each side, because sales err farther up than down.

Coverage is that of a pool on average, and holds as far as the weeks to come are like those of the pool.
"""

from __future__ import annotations

from math import ceil, floor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.demand.methods import Vector
from models.demand.rolling import HORIZONS, Rolled

LEVELS: Final = (80, 95)
"""Nominal coverage, per cent."""

ORIGINS: Final = 8
"""Origins whose errors are taken, the latest ones: older weeks say less of the weeks to come."""

STEP: Final = 7
"""Days between two of them."""


def least_errors(level: int) -> int:
    """Return how many errors a quantile of a level (per cent) needs on each side: 10 for 80 %, 40 for 95 %."""
    return ceil(200 / (100 - level))


def origins_for(series: int) -> int:
    """Return how many origins give enough errors for every level: more of them where series are few."""
    return max(ORIGINS, ceil(least_errors(LEVELS[-1]) / max(series, 1)))


def backs_for(series: int, back: int = 0) -> tuple[int, ...]:
    """Return the origins, in days before the end, that forecasts with intervals at one of them need, itself included.

    Args:
        series: how many there are.
        back: of the origin that is to get intervals.
    """
    last = HORIZONS[-1] + STEP * (origins_for(series) - 1)
    return tuple(range(back, back + last + 1, STEP))


def bands(rolled: Rolled, method: str, back: int) -> NDArray[np.float64]:
    """Return intervals at one origin.

    Args:
        rolled: forecasts at that origin and, where there are any, at earlier ones.
        method: whose forecasts they are.
        back: of the origin, one of `rolled.backs`.

    Returns:
        float64 [series, horizons, levels, 2], units, from 0 on;
        not finite where there is no forecast, or too few errors.
    """
    at, backs = rolled.backs.index(back), np.array(rolled.backs)
    means = rolled.means[method]
    found = np.full((len(means), len(HORIZONS), len(LEVELS), 2), np.nan)
    patterns = rolled.patterns[:, at]
    for place, days in enumerate(HORIZONS):
        # An origin counts once its days are over. `backs` falls, so the latest come last.
        over = np.flatnonzero(backs >= back + days)[-origins_for(len(means)) :]
        errors = (rolled.sold[:, over, place] - means[:, over, place]) / rolled.spreads[:, over, place]
        everything = errors[np.isfinite(errors)]
        for name in {name for name in patterns if name is not None}:
            pool = errors[rolled.patterns[:, over] == name]
            pool = pool[np.isfinite(pool)]
            # One pool for all levels: of two, the wider level might get the narrower interval.
            if len(pool) < least_errors(LEVELS[-1]):
                pool = everything
            rows = np.flatnonzero(patterns == name)
            for column, level in enumerate(LEVELS):
                if len(pool) < least_errors(level):
                    continue
                sides = np.array(_sides(pool, level))
                middle, spreads = means[rows, at, place, None], rolled.spreads[rows, at, place, None]
                found[rows, place, column] = np.maximum(0.0, middle + sides * spreads)
    return found


def _sides(errors: Vector, level: int) -> tuple[float, float]:
    """Return the order statistics between which a further error falls with the probability of the level, or more."""
    ordered, beyond = np.sort(errors), (100 - level) / 200
    count = len(ordered)
    # A product may come out a digit below the whole number that it is.
    low = floor((count + 1) * beyond + 1e-9)
    return float(ordered[max(low, 1) - 1]), float(ordered[min(ceil((count + 1) * (1 - beyond) - 1e-9), count) - 1])
