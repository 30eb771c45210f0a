"""Reading values, and for how long that has waited: only the schema registry makes it wait."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from streams.records.rejection import Rejection


class Values(Protocol):
    """Takes values of records to JSON."""

    async def read(self, values: Sequence[bytes | None]) -> list[bytes | Rejection]:
        """Return one JSON object in bytes for each value, or why there is none."""


class WatchedValues:
    """Reads as another reader does.

    Args:
        values: the other one.
        clock: seconds, monotonic.
    """

    def __init__(self, values: Values, clock: Callable[[], float] = time.monotonic) -> None:
        self._values = values
        self._clock = clock
        self._begun: dict[object, float] = {}

    @property
    def waited_s(self) -> float:
        """For how long the oldest reading that is under way has waited, s; 0 without one."""
        return self._clock() - min(self._begun.values()) if self._begun else 0.0

    async def read(self, values: Sequence[bytes | None]) -> list[bytes | Rejection]:
        """Return one JSON object in bytes for each value, or why there is none."""
        reading = object()
        self._begun[reading] = self._clock()
        try:
            return await self._values.read(values)
        finally:
            del self._begun[reading]
