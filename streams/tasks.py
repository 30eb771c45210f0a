"""Background tasks of one owner: none is lost, and none fails unnoticed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class Tasks:
    """Runs coroutines beside their owner.

    Args:
        name: of every task, for whoever looks at a stack.
        on_failure: told of the exception that ends one; cancellation is none.
    """

    def __init__(self, name: str, on_failure: Callable[[BaseException], None]) -> None:
        self._name = name
        self._on_failure = on_failure
        # The event loop holds its tasks only weakly.
        self._running: set[asyncio.Task[None]] = set()

    def begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine in the background."""
        task = asyncio.create_task(work, name=self._name)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def cancel(self) -> None:
        """Cancel all that run."""
        for task in self._running:
            task.cancel()

    async def ended(self) -> None:
        """Wait until none runs."""
        await asyncio.gather(*self._running, return_exceptions=True)

    async def ended_or(self, done: asyncio.Future[Any]) -> None:
        """Wait until none runs, or a future is done that makes them needless: then they are cancelled."""
        ended = asyncio.ensure_future(self.ended())
        try:
            await asyncio.wait({ended, done}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.cancel()
        await ended

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_failure(error)
