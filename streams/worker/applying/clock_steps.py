"""Noticing that the wall clock was set back: it runs beside a clock that nobody sets."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

TOLERANCE_MS: Final = 5_000
"""Clocks of machines differ by as much without anybody's fault; what is ahead by less is left to time."""


class ClockSteps:
    """Watches a wall clock.

    Args:
        clock: the wall clock, ms.
        monotonic: a clock that is never set, s.
    """

    def __init__(self, clock: Callable[[], int], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._offset = self._measure()

    def back(self) -> int:
        """Return by how much the clock was set back since this was last told (ms); 0 for the tolerance or less."""
        offset = self._measure()
        if offset < self._offset - TOLERANCE_MS:
            step, self._offset = self._offset - offset, offset
            return int(step)
        # One that was set forward first and then back has to be noticed too.
        self._offset = max(self._offset, offset)
        return 0

    def _measure(self) -> float:
        return self._clock() - self._monotonic() * 1000
