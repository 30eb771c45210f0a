"""Offline features: the same code that folds the stream folds a history, point in time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.observation import Observation
from features.row import Value, profile, scalars
from features.state import UserState


class Snapshot(NamedTuple):
    """The features of a user at an instant: scalars in the order of `SCALARS`, and float32[64]."""

    instant: int
    revision: int
    scalars: tuple[Value, ...]
    profile: NDArray[np.float32]


def snapshots(observations: Iterable[Observation], instants: Sequence[int], encoder: str) -> Iterator[Snapshot]:
    """Yield the features of one user at each instant (ms) by which they had an event, in the order of time.

    Args:
        observations: all of the user's, in the order of their timestamps.
        instants: T of each snapshot, rising; a snapshot covers every event with timestamp <= T.
        encoder: identity of the encoder behind the observations.
    """
    state = UserState()
    coming = iter(observations)
    following = next(coming, None)
    for instant in instants:
        while following is not None and following.timestamp <= instant:
            state.apply(following, encoder)
            following = next(coming, None)
        if state.revision:
            yield Snapshot(instant, state.revision, scalars(state, instant), profile(state, encoder))
