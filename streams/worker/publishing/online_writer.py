"""The online store's writer: rows coalesced per key within the freshness deadline, written off the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeVar

from features.exceptions import OnlineStoreError
from features.online.rows import Forget, Row
from features.online.store import OnlineStore
from streams.log import log
from streams.tasks import Tasks
from streams.telemetry.metrics import Metrics

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0

Item = TypeVar("Item")


class OnlineWriter:
    """Writes the newest row of each user or item.

    A store that refuses is tried again, with growing pauses, until it takes the rows or the writer is stopped:
    nothing is dropped and nothing is committed meanwhile, and the bound on unacknowledged records ends the intake.

    Args:
        store: called from one thread of the writer's own.
        freshness_s: the longest a row may wait.
        batch_rows: rows of one write, or removals of one call.
        on_served: told of the rows that the store took, on the writer's thread.
    """

    def __init__(
        self,
        store: OnlineStore,
        metrics: Metrics,
        *,
        freshness_s: float,
        batch_rows: int,
        on_served: Callable[[Sequence[Any]], None] | None = None,
    ) -> None:
        self._store = store
        self._on_served = on_served
        self._metrics = metrics
        # The write itself takes its share of the deadline.
        self._patience_s = freshness_s / 2
        self._batch_rows = batch_rows
        self._forgets: dict[str, Forget] = {}
        self._rows: dict[str, Row] = {}
        self._waiters: list[asyncio.Future[None]] = []
        self._since = 0.0
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="online-store")
        self._tasks: Tasks | None = None
        self.failing_since: float | None = None
        """Monotonic time of the first failure of the running series; None while the store takes rows."""
        self.on_return: Callable[[], object] = lambda: None
        """Called when the store takes rows again after failures: it may have lost some meanwhile."""

    def start(self, on_failure: Callable[[BaseException], None]) -> None:
        """Begin writing; `on_failure` is told of faults of this program, not of refusals of the store."""
        self._tasks = Tasks("online-writer", on_failure)
        self._tasks.begin(self._run())

    async def stop(self) -> None:
        """Stop; rows not written stay unwritten, and their futures are cancelled."""
        if self._tasks is not None:
            self._tasks.cancel()
            await self._tasks.ended()
        for waiter in self._waiters:
            waiter.cancel()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._store.close)
        self._thread.shutdown()

    def put(self, changes: Iterable[Row | Forget]) -> asyncio.Future[None]:
        """Queue rows; the future is done when each of them, or a newer one of its key, is in the store."""
        if not self._rows and not self._forgets:
            self._since = time.monotonic()
        for change in changes:
            if isinstance(change, Forget):
                self._forgets[change.key] = change
                self._rows.pop(change.key, None)
            else:
                self._rows[change.key] = change
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(done)
        self._arrived.set()
        return done

    async def has_all(self, keys: Sequence[str]) -> bool:
        """Return whether the store has a row of each of these keys.

        Raises:
            OnlineStoreError: it does not answer.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: all(map(self._store.has, keys)))

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            await self._gather()
            forgets, self._forgets = list(self._forgets.values()), {}
            rows, self._rows = list(self._rows.values()), {}
            waiters, self._waiters = self._waiters, []
            try:
                # Removals first: a row queued after the removal of its key is of one that came back.
                for forgotten in _batches(forgets, self._batch_rows):
                    await self._insist(partial(self._store.delete, dict(forgotten)))
                for batch in _batches(rows, self._batch_rows):
                    await self._insist(partial(self._write, batch))
            except asyncio.CancelledError:
                for waiter in waiters:
                    waiter.cancel()
                raise
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    async def _gather(self) -> None:
        """Wait for company until the deadline of the oldest row, or until a batch is full."""
        try:
            async with asyncio.timeout(self._since + self._patience_s - time.monotonic()):
                while len(self._rows) + len(self._forgets) < self._batch_rows:
                    await self._arrived.wait()
                    self._arrived.clear()
        except TimeoutError:
            return

    def _write(self, rows: Sequence[Row]) -> None:
        result = self._store.write(rows)
        self._metrics.online_rows.inc(result.written)
        self._metrics.online_fenced.inc(result.fenced)
        # The store does not say which rows it fenced off, and those are not served.
        if self._on_served is not None and not result.fenced:
            self._on_served(rows)

    async def _insist(self, write: Callable[[], object]) -> None:
        pause = FIRST_PAUSE_S
        loop = asyncio.get_running_loop()
        while True:
            started = time.monotonic()
            try:
                await loop.run_in_executor(self._thread, write)
            except OnlineStoreError as error:
                self._metrics.online_failures.inc()
                if self.failing_since is None:
                    self.failing_since = started
                    log.error("online store refuses rows, retrying", error=str(error))
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)
            else:
                self._metrics.online_write_seconds.observe(time.monotonic() - started)
                if self.failing_since is not None:
                    log.info("online store takes rows again", seconds=round(started - self.failing_since, 1))
                    self.failing_since = None
                    self.on_return()
                return


def _batches(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))
