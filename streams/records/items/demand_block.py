"""The block `demand` of an item's record: how fast it sells, whether that rises, how often a look ends in a sale."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Any, Final

from features.tiles import DAY, HOUR

_Z: Final = 1.959963984540054
"""Quantile of the standard normal for a two-sided 95 %."""

_RECENT: Final = 7 * DAY
_LONG: Final = 30 * DAY


def demand_block(
    values: Mapping[str, Any], event_time: int, forecast: Mapping[str, Any] | None, made_at: int | None
) -> dict[str, Any]:
    """Return the block. It is pure: the same arguments give the same block, in the worker and out of a file.

    Rates divide by the days that a window really covers, from its lower edge or the item's first fact, whichever is
    later, to T, and at least one. The trend compares the purchases of the last 7 days with those of the days before
    them that the window of 30 days covers. Given their sum, purchases at a steady rate fall into the recent part by a
    binomial draw (Przyborowski and Wilenski, "Homogeneity of results in testing samples from Poisson series",
    Biometrika 31, 1940), whose share gets Wilson's interval. Shoppers who buy several times make purchases less even
    than that, so the interval is the narrowest that may be believed.

    Args:
        values: scalars of the item's row: `units_7d`, `units_30d`, `purchases_7d`, `purchases_30d`, `views_7d`,
            `conversion_7d`, `tenure_days`.
        event_time: T, ms.
        forecast: as it was published; None without one.
        made_at: when it was made, ms.
    """
    oldest = event_time - round(float(values["tenure_days"] or 0.0) * DAY)
    edge_7d = (event_time - _RECENT) // HOUR * HOUR
    edge_30d = (event_time - _LONG) // DAY * DAY
    return {
        "units_per_day_7d": values["units_7d"] / _days(max(edge_7d, oldest), event_time),
        "units_per_day_30d": values["units_30d"] / _days(max(edge_30d, oldest), event_time),
        "trend": _trend(
            values["purchases_7d"],
            values["purchases_30d"] - values["purchases_7d"],
            (event_time - edge_7d) / DAY,
            (edge_7d - max(edge_30d, oldest)) / DAY,
        ),
        "conversion_7d": _conversion(values["conversion_7d"], values["purchases_7d"], values["views_7d"]),
        "forecast": None
        if forecast is None or made_at is None
        else {**forecast, "made_at": made_at, "age_days": max(0, event_time - made_at) / DAY},
    }


def wilson(part: int, whole: int) -> tuple[float, float]:
    """Return the 95 % interval of a share.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22(158), 1927.

    Args:
        part: 0 to `whole`.
        whole: at least 1.
    """
    share, spread = part / whole, _Z * _Z / whole
    middle = share + spread / 2
    reach = _Z * sqrt(share * (1 - share) / whole + spread / whole / 4)
    # At the ends rounding would leave a last digit over.
    low = 0.0 if part == 0 else (middle - reach) / (1 + spread)
    high = 1.0 if part == whole else (middle + reach) / (1 + spread)
    return low, high


def _days(begin: int, end: int) -> float:
    return max(1.0, (end - begin) / DAY)


def _trend(recent: int, before: int, recent_days: float, before_days: float) -> dict[str, Any]:
    found: dict[str, Any] = {"ratio": None, "low": None, "high": None, "recent": recent, "before": before}
    if before_days < 1:
        return {**found, "reason": "too_new"}
    if not recent + before:
        return {**found, "reason": "no_sales"}
    per_odds = before_days / recent_days
    low, high = wilson(recent, recent + before)
    return {
        **found,
        "ratio": None if not before else recent / before * per_odds,
        "low": low / (1 - low) * per_odds,
        "high": None if high == 1 else high / (1 - high) * per_odds,
        "reason": None,
    }


def _conversion(value: float | None, purchases: int, views: int) -> dict[str, Any]:
    # Some purchases have no view: beyond one purchase a view, it is no share, and has no interval of one.
    low, high = wilson(purchases, views) if views and purchases <= views else (None, None)
    return {"value": value, "low": low, "high": high, "purchases": purchases, "views": views}
