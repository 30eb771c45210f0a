"""After a swap of the scorer: every user is scored anew in the background, at a bounded rate."""

from __future__ import annotations

import time
from collections.abc import Callable

from streams.log import log
from streams.tasks import Tasks
from streams.telemetry.metrics import Metrics
from streams.worker.republishing.sweeping import Partitions, Passed, Sweep


class Refresher:
    """Publishes every user of the assigned partitions, so that a record of the new scorer replaces that of the old.

    It remembers nothing: users that a crash, or a partition that moves, leaves out keep their record, which names the
    old scorer, until their next event or their next emptied window.

    Args:
        partitions: those assigned now.
        users_per_s: users touched in a second, at most.
        metrics: count the users.
        on_failure: told of an error that ends a refresh.
    """

    def __init__(
        self,
        partitions: Partitions,
        users_per_s: int,
        metrics: Metrics,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._partitions = partitions
        self._users_per_s = users_per_s
        self._metrics = metrics
        self._tasks = Tasks("refresh", on_failure)

    def begin(self) -> None:
        """Refresh everybody, from the beginning if a refresh is under way."""
        self._tasks.cancel()
        self._tasks.begin(self._run())

    async def stop(self) -> None:
        """Refresh nobody any more."""
        self._tasks.cancel()
        await self._tasks.ended()

    async def _run(self) -> None:
        started, users = time.monotonic(), 0

        def count(passed: Passed) -> None:
            nonlocal users
            users += passed.living
            self._metrics.refreshed.inc(passed.living)

        sweep = Sweep(self._partitions, self._users_per_s, count, erased=False)
        for partition in list(self._partitions().values()):
            await sweep.everybody(partition)
        log.info("users scored anew after a swap", users=users, seconds=round(time.monotonic() - started, 1))
