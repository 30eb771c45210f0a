"""The feature row of a user at an instant: the one place where state becomes features, served or offline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.row import Value as Value
from features.row import generated
from features.text_sum import PROFILE_WIDTH
from features.users.catalogue import SCALARS
from features.users.state import UserState

_row: Final[Callable[[UserState, int], tuple[Value, ...]]] = generated(SCALARS, __file__)


def scalars(state: UserState, instant: int) -> tuple[Value, ...]:
    """Return the scalar features in the order of `features.users.catalogue.SCALARS`.

    Args:
        state: a user with at least one applied event.
        instant: T, ms, not before the newest event (`UserState.instant`).

    Returns:
        Counts as int; money, prices and ratings in units and days as float; None where nothing defines one.
    """
    return _row(state, instant)


def profile(state: UserState, encoder: str) -> NDArray[np.float32]:
    """Return the profile vector, float32[64]: unit length, or zeros while no text of this encoder counts."""
    if state.encoder != encoder:
        return np.zeros(PROFILE_WIDTH, np.float32)
    return state.texts.unit()


def taste(state: UserState, encoder: str) -> NDArray[np.float32]:
    """Return the taste vector, float32[64]: unit length, or zeros while no title of this encoder counts."""
    if state.taste_encoder != encoder:
        return np.zeros(PROFILE_WIDTH, np.float32)
    return state.taste.unit()


def profiles(states: Sequence[UserState], encoder: str) -> NDArray[np.float32]:
    """Return the profile vector of each of n users: float32 [n, 64]."""
    stacked = np.zeros((len(states), PROFILE_WIDTH), np.float32)
    for position, state in enumerate(states):
        # Most have written nothing, and zeros are there already.
        if state.texts.total is not None:
            stacked[position] = profile(state, encoder)
    return stacked


def tastes(states: Sequence[UserState], encoder: str) -> NDArray[np.float32]:
    """Return the taste vector of each of n users: float32 [n, 64]."""
    stacked = np.zeros((len(states), PROFILE_WIDTH), np.float32)
    for position, state in enumerate(states):
        if state.taste.total is not None:
            stacked[position] = taste(state, encoder)
    return stacked
