"""Forecasts of the sums of coming days, made at several origins of many series, beside what was sold then."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.demand.intermittence import Pattern, pattern
from models.demand.methods import Vector, fitted, parts
from models.exceptions import InvalidInputError

HORIZONS: Final = (7, 28)
"""Days that a forecast adds up."""

LEAST_DAYS: Final = 28
"""Days of a series below which nothing is told of it: four weeks, so that a season is seen more than once or twice."""

SPREAD_DAYS: Final = 84
"""Days whose variance says how much a sum may differ: twelve weeks."""

LEAST_SPREAD: Final = 0.5
"""Units; where every day sold the same, or nothing."""


@dataclass(frozen=True)
class Rolled:
    """Forecasts at origins.

    Attributes:
        backs: days of each origin before the end of the series, falling; 0 is the end itself.
        means: by method, float64 [series, origins, horizons], units; not finite where nothing is told.
        sold: float64 [series, origins, horizons], units; not finite where the days are not over.
        spreads: float64 [series, origins, horizons], units: the standard deviation that a sum would have if days were
            independent.
        patterns: [series, origins], None before the first event.
    """

    backs: tuple[int, ...]
    means: Mapping[str, NDArray[np.float64]]
    sold: NDArray[np.float64]
    spreads: NDArray[np.float64]
    patterns: NDArray[np.object_]


def roll(
    series: Sequence[Vector],
    backs: Sequence[int],
    methods: Sequence[str],
    progress: Callable[[int, int], None] | None = None,
) -> Rolled:
    """Forecast every series at every origin. A forecast sees the days before its origin, and no other.

    Args:
        series: units of days, float64 [days] each, >= 0, from its first event on; all end with the same day.
        backs: days of each origin before that end, >= 0.
        methods: names of single methods and of blends.
        progress: told how many series are done, of how many.

    Raises:
        InvalidInputError: units that are below 0 or not finite, or an origin after the end.
        MissingLibraryError: `statsforecast` is not installed.
    """
    ordered = tuple(sorted(set(backs), reverse=True))
    if ordered and ordered[-1] < 0:
        raise InvalidInputError(f"origins: expected 0 or more days before the end, found {ordered[-1]}")
    single = tuple(dict.fromkeys(name for method in methods for name in parts(method)))
    models = fitted(single)
    shape = (len(series), len(ordered), len(HORIZONS))
    told = {name: np.full(shape, np.nan) for name in single}
    sold, spreads = np.full(shape, np.nan), np.full(shape, np.nan)
    patterns = np.full(shape[:2], None, dtype=object)
    for row, units in enumerate(series):
        if not np.all(np.isfinite(units)) or np.any(units < 0):
            raise InvalidInputError("units: expected finite numbers from 0 on, found others")
        for column, back in enumerate(ordered):
            origin = len(units) - back
            if origin <= 0:
                continue
            for place, days in enumerate(HORIZONS):
                if days <= back:
                    sold[row, column, place] = units[origin : origin + days].sum()
            known = units[:origin]
            kind = patterns[row, column] = pattern(known)
            if origin < LEAST_DAYS or kind is Pattern.RARE:
                continue
            spreads[row, column] = spread(known)
            for name, model in models.items():
                path = np.cumsum(model(known, HORIZONS[-1]))
                told[name][row, column] = path[[days - 1 for days in HORIZONS]]
        if progress is not None:
            progress(row + 1, len(series))
    means = {method: np.mean([told[name] for name in parts(method)], axis=0) for method in methods}
    return Rolled(ordered, means, sold, spreads, patterns)


def spread(units: Vector) -> Vector:
    """Return the standard deviation of the sum of each horizon if days were independent, float64 [horizons], units."""
    variance = float(np.var(units[-SPREAD_DAYS:]))
    return np.maximum(np.sqrt(np.array(HORIZONS) * variance), LEAST_SPREAD)
