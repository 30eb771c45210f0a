"""The feature row of a user at an instant: the one place where state becomes features, served or offline."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from features.expressions import sums_of
from features.observation import MICRO
from features.tiles import DAY
from features.users.catalogue import PROFILE_WIDTH, SCALARS
from features.users.state import UserState
from features.windows import LEVELS, Level

Value = int | float | None


def row_source() -> str:
    """Return the Python source of the function that `scalars` calls, generated from the catalogue."""
    levels = zip(("by_five_minutes", "by_hour", "by_day"), LEVELS, strict=True)
    return "\n".join(
        [
            "def row(state, instant):",
            *(f"    {_names(level)} = state.{attribute}.sums(instant)" for attribute, level in levels),
            "    return (",
            *(f"        {scalar.value.source},  # {scalar.name}" for scalar in SCALARS),
            "    )",
            "",
        ]
    )


def _names(level: Level) -> str:
    return f"({', '.join(sums_of(window.name) for window in level.windows)},)"


def _generated() -> Callable[[UserState, int], tuple[Value, ...]]:
    # Beside this module, so that whatever looks at files, the benchmarks' guard for one, counts it to this package.
    source, filename = row_source(), __file__.removesuffix(".py") + ".generated.py"
    # Where tracebacks look for lines.
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    found: dict[str, Any] = {}
    exec(compile(source, filename, "exec"), {"MICRO": MICRO, "DAY": DAY}, found)
    row: Callable[[UserState, int], tuple[Value, ...]] = found["row"]
    return row


_row: Final = _generated()


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
