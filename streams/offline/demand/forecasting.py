"""What is told of an item or a category: how it sold of late, and what it will sell, as rows of JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from features.tiles import DAY
from models.demand.conformal import LEVELS, backs_for, bands
from models.demand.methods import CHOSEN
from models.demand.rolling import HORIZONS, LEAST_DAYS, roll
from streams.offline.demand.sales import PURCHASES, UNITS, VIEWS, Daily
from streams.progress import Progress
from streams.records.items.demand_block import demand_block

FORECAST: Final = ("first_day", "days", "days_with_sales", "method", "reason", "pattern", "units_7d", "units_28d")
"""The fields of a forecast, as it is published; the record that serves it adds `made_at` and `age_days`."""

_DIGITS: Final = 6
"""Significant digits of a forecast that is written: more are noise, and every record of an item would carry them."""


def forecasts(known: Mapping[str, Daily], first_day: int, progress: Progress) -> dict[str, dict[str, Any]]:
    """Return the block `demand` of each name, with its forecast.

    The rates, the trend and conversion are of whole days, those before the first one told.

    Args:
        known: by name, until that day.
        first_day: the first day told, since the epoch (UTC).
        progress: called with the progress.

    Raises:
        MissingLibraryError: `statsforecast` is not installed.
    """
    names = list(known)
    series = [known[name].units for name in names]
    worth = [name for name, units in zip(names, series, strict=True) if _reason(units) is None]
    told = dict(zip(worth, _sums([known[name].units for name in worth], progress), strict=True))
    at = first_day * DAY
    return {
        name: demand_block(_values(known[name], at), at, _forecast(units, first_day, told.get(name)), at)
        for name, units in zip(names, series, strict=True)
    }


def _sums(series: list[NDArray[np.float64]], progress: Progress) -> list[dict[str, Any]]:
    """Return pattern and sums of series that are long enough."""
    if not series:
        return []
    rolled = roll(series, backs_for(len(series)), [CHOSEN], lambda done, of: progress("forecasts", done, of))
    intervals, now = bands(rolled, CHOSEN, 0), rolled.backs.index(0)
    return [
        {"pattern": str(rolled.patterns[row, now])}
        | {
            f"units_{days}d": _sum(rolled.means[CHOSEN][row, now, place], intervals[row, place])
            for place, days in enumerate(HORIZONS)
        }
        for row in range(len(series))
    ]


def _sum(mean: float, intervals: NDArray[np.float64]) -> dict[str, float | None]:
    found = {"mean": _short(mean)}
    for level, (low, high) in zip(LEVELS, intervals, strict=True):
        found |= {f"low_{level}": _short(low), f"high_{level}": _short(high)}
    return found


def _short(number: float) -> float | None:
    return float(f"{number:.{_DIGITS}g}") if np.isfinite(number) else None


def _forecast(units: NDArray[np.float64], first_day: int, told: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        "first_day": datetime.fromtimestamp(first_day * DAY // 1000, UTC).date().isoformat(),
        "days": len(units),
        "days_with_sales": int(np.count_nonzero(units)),
        "method": None if told is None else CHOSEN,
        "reason": _reason(units),
        **({"pattern": None, **{f"units_{days}d": None for days in HORIZONS}} if told is None else told),
    }


def _reason(units: NDArray[np.float64]) -> str | None:
    """Return why nothing is told of a series; None if something is."""
    sold = np.count_nonzero(units)
    if len(units) < LEAST_DAYS:
        return "too_new"
    if not sold:
        return "no_sales"
    return "too_few_sales" if sold < 2 else None


def _values(daily: Daily, at: int) -> dict[str, Any]:
    week, month = daily.counts[-7:].sum(axis=0).tolist(), daily.counts[-30:].sum(axis=0).tolist()
    return {
        "units_7d": week[UNITS],
        "units_30d": month[UNITS],
        "purchases_7d": week[PURCHASES],
        "purchases_30d": month[PURCHASES],
        "views_7d": week[VIEWS],
        "conversion_7d": week[PURCHASES] / week[VIEWS] if week[VIEWS] else None,
        "tenure_days": (at - daily.oldest) / DAY,
    }
