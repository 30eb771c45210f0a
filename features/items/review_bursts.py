"""Bursts of reviews, against the item's own past and against what it sold.

Of the reviews of half a year, a window's share is binomial if they come at an ordinary pace: the conditional test of
two Poisson rates (Przyborowski & Wilenski 1940). A month would not do: of an item with two or three reviews a month,
a campaign of two weeks is most of its month. The ordinary share is that of the time. Where some days that ended within
the last two weeks sold more than chance makes of an even pace, it is the share of what they sold: a promotion sells,
and its reviews follow within days or weeks, or on one day if its customers are asked together. A burst is what neither
explains.
"""

from __future__ import annotations

from itertools import accumulate
from operator import sub
from typing import Final, NamedTuple

from features.items.columns import DAYS, HOURS
from features.items.review_memory import KEPT
from features.items.state import ItemState
from features.items.tails import Evidence, binomial_tail, evidence
from features.tiles import DAY, TileLevel
from features.windows import WINDOWS, Window

REVIEWS_FOLLOW_DAYS: Final = 14
"""How long after a purchase a review still follows from it, days."""

BUSY_TAIL: Final = 0.05
"""The tail of the purchases of some days below which the days are busy, and not so by chance."""

SALE_DAYS: Final = 8
"""Days of a week's sale, whose reviews may come on fewer days; a week that begins within a day touches eight."""

_AGES: Final = REVIEWS_FOLLOW_DAYS + 1
_OF_HOURS: Final = HOURS.level.windows
_FORTNIGHT: Final = Window("14d", 14 * DAY, DAY)
_MONTH: Final = WINDOWS[-1]
_MONTH_DAYS: Final = _MONTH.length // DAY
_IN_HOURS: Final = HOURS.place("reviews")
_IN_DAYS: Final = DAYS.place("reviews")
_BOUGHT: Final = DAYS.place("purchases")


def bursts(state: ItemState, instant: int) -> dict[str, Evidence]:
    """Return the evidence of a burst in each window, by the window's name: `24h`, `7d` and `14d`.

    Args:
        state: of an item that has a review in 30 days.
        instant: T, ms.
    """
    past = _past(state, instant)
    counted = [sums[_IN_HOURS] for sums in state.by_hour.sums(instant)]
    first = _lower(_FORTNIGHT, instant) // DAY
    in_days = zip(state.by_day.indices, state.by_day.column(_IN_DAYS), strict=True)
    counted.append(sum(reviews for day, reviews in in_days if day >= first))
    return {
        window.name: evidence(found, past.reviews, _ordinary_share(window, past, instant), looks=past.month)
        for window, found in zip((*_OF_HOURS, _FORTNIGHT), counted, strict=True)
    }


class _Past(NamedTuple):
    """What is known of an item.

    Attributes:
        begin: since when its reviews are known, ms.
        month: its reviews of 30 days.
        reviews: all since `begin`.
        bought: its purchases of today, of today and yesterday, and so on for 30 days, behind a 0.
        bought_earlier: its purchases between `begin` and those days.
    """

    begin: int
    month: int
    reviews: int
    bought: list[int]
    bought_earlier: int


def _past(state: ItemState, instant: int) -> _Past:
    month, bought = state.by_day.sums(instant)[-1][_IN_DAYS], _bought_since(state.by_day, instant)
    lower = _lower(_MONTH, instant)
    oldest = instant if state.oldest is None else state.oldest
    earlier, since = state.reviews.before(lower)
    begin = max(oldest, instant - KEPT if since is None else since)
    if begin >= lower:
        return _Past(max(oldest, lower), month, month, bought, 0)
    # Which of them were bought when is not kept: an even pace is supposed.
    bought_earlier = (state.lifetime_purchases - bought[-1]) * (lower - begin) // (lower - oldest)
    return _Past(begin, month, month + earlier, bought, bought_earlier)


def _ordinary_share(window: Window, past: _Past, instant: int) -> float:
    known = instant - past.begin
    span = instant - _lower(window, instant)
    if known <= span:
        return 1.0
    share, total = span / known, past.bought[-1] + past.bought_earlier
    if not total:
        return share
    for days in {_days(window), max(_days(window), SALE_DAYS)}:
        busiest = max(map(sub, past.bought[days : _AGES + days], past.bought[:_AGES]))
        if binomial_tail(busiest, total, min(1.0, days * DAY / known)) <= BUSY_TAIL:
            share = max(share, busiest / total)
    return share


def _days(window: Window) -> int:
    """Return how many days a window touches: one that begins within a day, one more than it is long."""
    return window.length // DAY + 1


def _lower(window: Window, instant: int) -> int:
    return (instant - window.length) // window.hop * window.hop


def _bought_since(by_day: TileLevel, instant: int) -> list[int]:
    today, bought = instant // DAY, [0] * (_MONTH_DAYS + 1)
    for day, purchases in zip(by_day.indices, by_day.column(_BOUGHT), strict=True):
        if 0 <= today - day <= _MONTH_DAYS:
            bought[today - day] = purchases
    return list(accumulate(bought, initial=0))
