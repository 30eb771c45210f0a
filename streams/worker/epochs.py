"""Epochs: which of two owners of a partition is the later one, whatever their clocks say."""

from __future__ import annotations

from typing import Final

_SECOND: Final = 1000
_CLOCK_BITS: Final = 32
_ABOVE_CLOCKS: Final = 1 << 42
"""Epochs used to be wall clocks in milliseconds; every generation outranks those until the year 2109."""
_LARGEST: Final = (1 << 53) - 1
"""Redis compares epochs as doubles, exact up to here."""


def epoch_of(generation: int, now_ms: int, seen: int) -> int:
    """Return the epoch of an assignment: what its owner writes outranks all that earlier owners wrote.

    The group's generation leads, for the broker itself orders it; a wall clock would have an owner whose clock is
    ahead outrank its successor. The clock follows, for a group that was deleted begins its generations anew.

    Args:
        generation: of the group, from 0.
        now_ms: the wall clock.
        seen: the highest epoch in the partition's changelog, and that this process ever took for it; the result is
            above it whatever the others say.
    """
    led = _ABOVE_CLOCKS + (generation << _CLOCK_BITS) + (now_ms // _SECOND) % (1 << _CLOCK_BITS)
    return min(_LARGEST, max(led, seen + 1))
