"""Publishing every user or item again on request: what a store has lost is served again, and the erased are removed."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

import msgspec
from prometheus_client import Counter

from streams.log import log
from streams.tasks import Tasks
from streams.worker.republishing.progress import DONE, RUNNING, Progress
from streams.worker.republishing.sweeping import Partitions, Passed, Sweep


class Republisher:
    """Publishes all of the assigned partitions on request, the erased among them; one request at a time.

    Args:
        partitions: those assigned now.
        of_partitions: the number of partitions of each topic.
        users_per_s: users touched in a second, at most, unless a request says otherwise.
        published: counts them.
        on_failure: told of an error that ends it.
        keys: what they are, for the log.

    Attributes:
        progress: of the last request; replaced as a whole, so that any thread may read it.
    """

    def __init__(
        self,
        partitions: Partitions,
        of_partitions: int,
        users_per_s: int,
        published: Counter,
        on_failure: Callable[[BaseException], None],
        keys: str,
    ) -> None:
        self._partitions = partitions
        self._users_per_s = users_per_s
        self._published = published
        self._keys = keys
        self._tasks = Tasks("republish", on_failure)
        self.progress = Progress(secrets.token_hex(8), of_partitions=of_partitions)

    def begin(self, users_per_s: int | None = None) -> Progress:
        """Publish everybody from now on.

        A run that is under way ends: the store may have lost since what that run has published.
        """
        self._tasks.cancel()
        self.progress = Progress(
            self.progress.worker,
            self.progress.run + 1,
            RUNNING,
            partitions=tuple(sorted(self._partitions())),
            of_partitions=self.progress.of_partitions,
            started_at=int(time.time() * 1000),
        )
        self._tasks.begin(self._run(users_per_s or self._users_per_s))
        return self.progress

    async def stop(self) -> None:
        """Publish nobody any more."""
        self._tasks.cancel()
        await self._tasks.ended()

    async def _run(self, users_per_s: int) -> None:
        began = time.monotonic()
        log.info(
            f"publishing all {self._keys} again", partitions=len(self.progress.partitions), users_per_s=users_per_s
        )
        sweep = Sweep(self._partitions, users_per_s, self._count, erased=True)
        for number in self.progress.partitions:
            partition = self._partitions().get(number)
            if partition is not None and await sweep.everybody(partition):
                self._update(finished=(*self.progress.finished, number))
        self._update(state=DONE)
        log.info(
            f"{self._keys} published again",
            living=self.progress.users,
            erased=self.progress.erased,
            partitions_moved=len(self.progress.partitions) - len(self.progress.finished),
            seconds=round(time.monotonic() - began, 1),
        )

    def _count(self, passed: Passed) -> None:
        self._published.inc(sum(passed))
        self._update(users=self.progress.users + passed.living, erased=self.progress.erased + passed.erased)

    def _update(self, **changes: object) -> None:
        self.progress = msgspec.structs.replace(self.progress, **changes)
