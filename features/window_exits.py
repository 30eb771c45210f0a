"""When the features of a key of which nothing comes change: the instants at which a tile leaves a window."""

from __future__ import annotations

from typing import Final

from features.entity import State
from features.tiles import DAY
from features.windows import WINDOWS

FIRST_QUIET: Final = 60 * DAY
"""How long after the last event, once every tile has left, recency is worth a new score; then twice that, and so on."""


def due_of_event(timestamp: int, instant: int) -> int:
    """Return when, after `instant`, an event of `timestamp` next leaves a window (ms), or recency is due after all."""
    for _, length, hop in WINDOWS:
        leaves = _leaves(timestamp // hop, hop, length)
        if leaves > instant:
            return leaves
    return _quiet(timestamp, instant)


def next_due(state: State, instant: int) -> int | None:
    """Return when, after `instant`, the features of a state change by themselves (ms); None for one without events."""
    if state.newest is None:
        return None
    coming = []
    for level in (state.by_five_minutes, state.by_hour, state.by_day):
        for length in level.lengths:
            leaving = (_leaves(index, level.hop, length) for index in level.indices)
            first = min((leaves for leaves in leaving if leaves > instant), default=None)
            if first is not None:
                coming.append(first)
    return min(coming) if coming else _quiet(state.newest, instant)


def _leaves(index: int, hop: int, length: int) -> int:
    """The first T whose window of `length` no longer covers the tile: floor((T - length) / hop) > index."""
    return (index + 1) * hop + length


def _quiet(newest: int, instant: int) -> int:
    quiet = FIRST_QUIET
    while newest + quiet <= instant:
        quiet *= 2
    return newest + quiet
