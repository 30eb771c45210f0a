"""The parts of a worker, stopped in the reverse of the order in which they were started, and within a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from streams.log import log

PART_S: Final = 5.0
"""How long a part may take."""

LEAST_S: Final = 0.1
"""The time of a part when those before it have used up theirs: enough for a part that only lets go."""


class Closing:
    """Remembers how each part is stopped.

    A part that does not end in time is named in the log and left behind, so that it keeps no other from being stopped.
    """

    def __init__(self) -> None:
        self._parts: list[tuple[str, Callable[[], Awaitable[object]], float]] = []

    def add(self, name: str, stop: Callable[[], Awaitable[object]], within_s: float = PART_S) -> None:
        """Have a part stopped before all that were added earlier, within a time of its own."""
        self._parts.append((name, stop, within_s))

    async def close(self, within_s: float) -> list[BaseException]:
        """Stop every part, within so many seconds in all; return what parts failed with.

        Raises:
            asyncio.CancelledError: the caller was cancelled meanwhile; every part was told to stop all the same.
        """
        deadline = time.monotonic() + within_s
        cancelled: asyncio.CancelledError | None = None
        errors: list[BaseException] = []
        while self._parts:
            name, stop, most_s = self._parts.pop()
            stopping = asyncio.ensure_future(_stopped(stop))
            try:
                await asyncio.wait({stopping}, timeout=min(most_s, max(LEAST_S, deadline - time.monotonic())))
            except asyncio.CancelledError as error:
                cancelled, deadline = error, time.monotonic()
            if not stopping.done():
                stopping.cancel()
                log.warning("a part did not stop in time, leaving without it", part=name)
            elif not stopping.cancelled() and (failure := stopping.exception()) is not None:
                log.error("a part failed while it stopped", part=name, error=f"{type(failure).__name__}: {failure}")
                errors.append(failure)
        if cancelled is not None:
            raise cancelled
        return errors


async def _stopped(stop: Callable[[], Awaitable[object]]) -> None:
    await stop()
