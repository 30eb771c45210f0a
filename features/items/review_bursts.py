"""Bursts of reviews, against the item's own month and against what it sold.

Of the reviews of 30 days, a window's share is binomial if they come at an ordinary pace: the conditional test of two
Poisson rates (Przyborowski & Wilenski 1940). The ordinary share is that of the time. Where some days of the
last two weeks, as many as the window has, sold more than chance makes of an even pace, it is the share of what they
sold: a promotion sells, and its reviews follow within days or weeks. A burst is what neither explains.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from features.items.columns import DAYS, HOURS
from features.items.review_memory import KEPT
from features.items.state import ItemState
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


def bursts(state: ItemState, instant: int) -> dict[str, Evidence]:
    """Return the evidence of a burst in each window of hours, by the window's name: `24h` and `7d`.

    Args:
        state: of an item that has a review in 30 days.
        instant: T, ms.
    """
    past = _past(state, instant)
    found = {}
    for window, sums in zip(_OF_HOURS, state.by_hour.sums(instant), strict=True):
        share = _ordinary_share(window, past, instant)
        found[window.name] = evidence(sums[_IN_HOURS], past.reviews, share, looks=past.month)
    return found


class _Past(NamedTuple):
    """What is known of an item.

    Attributes:
        begin: since when its reviews are known, ms.
        month: its reviews of 30 days.
        reviews: all since `begin`.
        bought: its purchases of each day of 30, today's first.
        bought_earlier: its purchases between `begin` and those days.
    """

    begin: int
    month: int
    reviews: int
    bought: list[int]
    bought_earlier: int


def _past(state: ItemState, instant: int) -> _Past:
    month, bought = state.by_day.sums(instant)[-1][_IN_DAYS], _bought_by_age(state.by_day, instant)
    lower = _lower(_MONTH, instant)
    oldest = instant if state.oldest is None else state.oldest
    earlier, since = state.reviews.before(lower)
    begin = max(oldest, instant - KEPT if since is None else since)
    if begin >= lower:
        return _Past(max(oldest, lower), month, month, bought, 0)
    # Which of them were bought when is not kept: an even pace is supposed.
    bought_earlier = (state.lifetime_purchases - sum(bought)) * (lower - begin) // (lower - oldest)
    return _Past(begin, month, month + earlier, bought, bought_earlier)


def _ordinary_share(window: Window, past: _Past, instant: int) -> float:
    known = instant - past.begin
    span = instant - _lower(window, instant)
    if known <= span:
        return 1.0
    of_time = span / known
    # A window that begins within a day touches one day more than it is long.
    days, total = window.length // DAY + 1, sum(past.bought) + past.bought_earlier
    busiest = max(sum(past.bought[age : age + days]) for age in range(REVIEWS_FOLLOW_DAYS + 1))
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
