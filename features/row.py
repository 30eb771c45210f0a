"""The feature row of a user at an instant: the one place where state becomes features, served or offline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.catalogue import COUNTED, PROFILE_WIDTH, WINDOW_NAMES
from features.columns import DAYS
from features.observation import MICRO
from features.state import UserState
from features.tiles import DAY

Value = int | float | None
# The levels of tiles come in the order of their windows.
_WEEK, _MONTH = (WINDOW_NAMES.index(name) for name in ("7d", "30d"))
_COUNTS: Final = range(1, len(COUNTED) + 1)
# The columns of the longest tiles; shorter ones keep the first of them.
_VIEWS, _PURCHASES, _REVIEWS = (DAYS.place(name) for name in ("views", "purchases", "reviews"))
SPEND: Final = DAYS.place("spend")
VIEWED_PRICE: Final = DAYS.place("viewed_price")
PRICED_VIEWS: Final = DAYS.place("priced_views")
PRICED_PURCHASES: Final = DAYS.place("priced_purchases")
RATING: Final = DAYS.place("rating")
NOISY: Final = DAYS.place("noisy_reviews")


def scalars(state: UserState, instant: int) -> tuple[Value, ...]:
    """Return the scalar features in the order of `features.catalogue.SCALARS`.

    Args:
        state: a user with at least one applied event.
        instant: T, ms, not before the newest event (`UserState.instant`).

    Returns:
        Counts as int; money, prices and ratings in units and days as float; None where nothing defines one.
    """
    windows = (*state.by_five_minutes.sums(instant), *state.by_hour.sums(instant), *state.by_day.sums(instant))
    week, month = windows[_WEEK], windows[_MONTH]
    return (
        *[sums[column] for column in _COUNTS for sums in windows],
        *[sums[SPEND] / MICRO for sums in windows],
        month[SPEND] / MICRO / month[PRICED_PURCHASES] if month[PRICED_PURCHASES] else None,
        month[_PURCHASES] / month[_VIEWS] if month[_VIEWS] else None,
        week[VIEWED_PRICE] / MICRO / week[PRICED_VIEWS] if week[PRICED_VIEWS] else None,
        month[RATING] / MICRO / month[_REVIEWS] if month[_REVIEWS] else None,
        month[NOISY],
        state.lifetime_purchases,
        state.lifetime_spend / MICRO,
        None if state.oldest is None else (instant - state.oldest) / DAY,
        None if state.last_purchase is None else (instant - state.last_purchase) / DAY,
    )


def profile(state: UserState, encoder: str) -> NDArray[np.float32]:
    """Return the profile vector, float32[64]: unit length, or zeros while no text of this encoder counts."""
    if state.encoder != encoder:
        return np.zeros(PROFILE_WIDTH, np.float32)
    return state.texts.unit()


def profiles(states: Sequence[UserState], encoder: str) -> NDArray[np.float32]:
    """Return the profile vector of each of n users: float32 [n, 64]."""
    stacked = np.zeros((len(states), PROFILE_WIDTH), np.float32)
    for position, state in enumerate(states):
        # Most have written nothing, and zeros are there already.
        if state.texts.total is not None:
            stacked[position] = profile(state, encoder)
    return stacked
