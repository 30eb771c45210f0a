"""Measures of forecasts of sums: errors in units of what a series does anyway, and coverage of intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.demand.methods import Vector

LEAST_SCALE: Final = 1.0
"""Units: of a series that hardly sells, an error of one unit is no large one."""

MORE_DAYS: Final = 7
"""Days beyond two sums that a scale needs, so that it is not of one pair of them."""


@dataclass(frozen=True)
class Scale:
    """What two consecutive sums of a series differ by, in the days before an origin.

    Attributes:
        absolute: mean absolute difference, units.
        square: mean squared difference, units squared.
    """

    absolute: float
    square: float


def scale(units: Vector, days: int) -> Scale | None:
    """Return the scale of the errors of a sum; None for a series of fewer than two sums and a week.

    It is the in-sample error of the naive forecast of the sum, as Hyndman and Koehler scale errors ("Another look at
    measures of forecast accuracy", International Journal of Forecasting 22(4), 2006), squared as the M5 competition
    does (Makridakis, Spiliotis and Assimakopoulos, same journal 38(4), 2022), and at least one unit.

    Args:
        units: float64 [known], of the days before the origin.
        days: of a sum.
    """
    if len(units) < 2 * days + MORE_DAYS:
        return None
    total = np.concatenate(([0.0], np.cumsum(units)))
    sums = total[days:] - total[:-days]
    differences = sums[days:] - sums[:-days]
    return Scale(
        max(float(np.mean(np.abs(differences))), LEAST_SCALE), max(float(np.mean(differences**2)), LEAST_SCALE**2)
    )


def errors(
    told: Vector, sold: Vector, absolute: NDArray[np.float64], square: NDArray[np.float64]
) -> dict[str, float | None]:
    """Return the measures of forecasts, all float64 [n]; each is None where there is no forecast.

    `mase` is the mean of |error| / scale, `rmsse` the root of the mean of error squared / squared scale, and `wape` the
    sum of |error| by the sum of what was sold. Lower is better.
    """
    if not len(told):
        return {"mase": None, "rmsse": None, "wape": None}
    off, units = told - sold, float(np.sum(sold))
    return {
        "mase": float(np.mean(np.abs(off) / absolute)),
        "rmsse": float(np.sqrt(np.mean(off**2 / square))),
        "wape": float(np.sum(np.abs(off))) / units if units else None,
    }


def coverage(bands: NDArray[np.float64], sold: Vector, absolute: Vector) -> dict[str, Any]:
    """Return how often intervals, float64 [n, 2], hold what was sold, and their mean width in scales."""
    told = np.all(np.isfinite(bands), axis=1)
    if not told.any():
        return {"n": 0, "covered": None, "width": None}
    low, high = bands[told, 0], bands[told, 1]
    return {
        "n": int(told.sum()),
        "covered": float(np.mean((sold[told] >= low) & (sold[told] <= high))),
        "width": float(np.mean((high - low) / absolute[told])),
    }
