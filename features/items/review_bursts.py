"""Bursts of reviews, against the item's own month and against what it sold.

Of the reviews of 30 days, a window's share is binomial if they come at an ordinary pace: the conditional test of two
Poisson rates (Przyborowski & Wilenski 1940). The ordinary share is that of the time. Where some days of the
last two weeks, as many as the window has, sold more than chance makes of an even pace, it is the share of what they
sold: a promotion sells, and its reviews follow within days or weeks. A burst is what neither explains.
"""

from __future__ import annotations

from typing import Final

from features.items.columns import DAYS, HOURS
from features.items.tails import Evidence, binomial_tail, evidence
from features.tiles import DAY, TileLevel
from features.windows import WINDOWS, Window

REVIEWS_FOLLOW_DAYS: Final = 14
"""How long after a purchase a review still follows from it, days."""

BUSY_TAIL: Final = 0.01
"""The tail of the purchases of some days below which the days are busy, and not so by chance."""

_OF_HOURS: Final = HOURS.level.windows
_MONTH: Final = WINDOWS[-1]
_MONTH_DAYS: Final = _MONTH.length // DAY
_IN_HOURS: Final = HOURS.place("reviews")
_IN_DAYS: Final = DAYS.place("reviews")
_BOUGHT: Final = DAYS.place("purchases")


def bursts(by_hour: TileLevel, by_day: TileLevel, oldest: int, instant: int) -> dict[str, Evidence]:
    """Return the evidence of a burst in each window of hours, by the window's name: `24h` and `7d`.

    Args:
        by_hour: tiles of the item (`features.items.columns`).
        by_day: likewise.
        oldest: time of the item's oldest fact, ms.
        instant: T, ms.
    """
    reviews = by_day.sums(instant)[-1][_IN_DAYS]
    bought = _bought_by_age(by_day, instant)
    found = {}
    for window, sums in zip(_OF_HOURS, by_hour.sums(instant), strict=True):
        share = _ordinary_share(window, bought, oldest, instant)
        found[window.name] = evidence(sums[_IN_HOURS], reviews, share)
    return found


def _ordinary_share(window: Window, bought: list[int], oldest: int, instant: int) -> float:
    known = instant - max(oldest, _lower(_MONTH, instant))
    span = instant - _lower(window, instant)
    if known <= span:
        return 1.0
    of_time = span / known
    # A window that begins within a day touches one day more than it is long.
    days, total = window.length // DAY + 1, sum(bought)
    busiest = max(sum(bought[age : age + days]) for age in range(REVIEWS_FOLLOW_DAYS + 1))
    if not total or binomial_tail(busiest, total, min(1.0, days * DAY / known)) > BUSY_TAIL:
        return of_time
    return max(of_time, busiest / total)


def _lower(window: Window, instant: int) -> int:
    return (instant - window.length) // window.hop * window.hop


def _bought_by_age(by_day: TileLevel, instant: int) -> list[int]:
    """Return the purchases of each day, today's first."""
    today, bought = instant // DAY, [0] * (_MONTH_DAYS + 1)
    for day, purchases in zip(by_day.indices, by_day.column(_BOUGHT), strict=True):
        if 0 <= today - day <= _MONTH_DAYS:
            bought[today - day] = purchases
    return bought
