"""The feature row of an item at an instant: the one place where state becomes features, served or offline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.items.catalogue import INDEX, OF_A_HEAD, SCALARS
from features.items.state import ItemState
from features.row import Value, generated
from features.text_sum import PROFILE_WIDTH

_row: Final[Callable[[ItemState, int], tuple[Value, ...]]] = generated(SCALARS, __file__)
_HEAD_PLACES: Final = tuple(INDEX[name] for name in OF_A_HEAD)


def scalars(state: ItemState, instant: int, head: str) -> tuple[Value, ...]:
    """Return the scalar features in the order of `features.items.catalogue.SCALARS`.

    Args:
        state: an item with at least one applied fact.
        instant: T, ms, not before the newest fact (`ItemState.instant`).
        head: identity of the loaded polarity head, empty without one: what another one judged is null.

    Returns:
        Counts as int; money, means, shares and days as float; None where nothing defines one.
    """
    row = _row(state, instant)
    # Of an item of which no head has judged anything, the two are null anyway.
    if state.head in (head, ""):
        return row
    values = list(row)
    for place in _HEAD_PLACES:
        values[place] = None
    return tuple(values)


def title_vector(state: ItemState, encoder: str) -> NDArray[np.float32]:
    """Return the vector of the title, float32[64]: unit length, or zeros while this encoder has not read it."""
    if state.title_vector is None or state.title_encoder != encoder:
        return np.zeros(PROFILE_WIDTH, np.float32)
    return state.title_vector
