"""After a swap of the scorer: every user is scored anew in the background, at a bounded rate."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Final

from streams.log import log
from streams.metrics import Metrics
from streams.partition import Partition
from streams.tasks import Tasks

SLICE_USERS: Final = 100
"""Users touched before the next ones wait for these to be published: live events never queue behind more."""


class Refresher:
    """Touches every user of the assigned partitions, so that a record of the new scorer replaces that of the old.

    It remembers nothing: users that a crash, or a partition that moves, leaves out keep their record, which names the
    old scorer, until their next event or their next emptied window.

    Args:
        partitions: those assigned now, by number.
        users_per_s: users touched in a second, at most.
        metrics: count the users.
        on_failure: told of an error that ends a refresh.
    """

    def __init__(
        self,
        partitions: Mapping[int, Partition],
        users_per_s: int,
        metrics: Metrics,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._partitions = partitions
        self._slice_s = SLICE_USERS / users_per_s
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
        for number, partition in list(self._partitions.items()):
            users += await self._refresh(number, partition)
        log.info("users scored anew after a swap", users=users, seconds=round(time.monotonic() - started, 1))

    async def _refresh(self, number: int, partition: Partition) -> int:
        # Those in hand may have been scored by the old one just before, and may not be in the store yet.
        names = chain(partition.committer.busy_users(), _stored(partition))
        users = 0
        # A store that another worker owns now is closed: it must not be read on.
        while self._partitions.get(number) is partition and (coming := list(islice(names, SLICE_USERS))):
            next_at = time.monotonic() + self._slice_s
            users += _touch(partition, coming)
            self._metrics.refreshed.inc(len(coming))
            # Waited for, not awaited: it is cancelled with the partition, and this goes on with the next one.
            await asyncio.wait([partition.committer.settled()])
            await asyncio.sleep(next_at - time.monotonic())
        return users


def _stored(partition: Partition) -> Iterator[str]:
    for key, _ in partition.states.items(partition.number):
        yield key.decode()


def _touch(partition: Partition, users: Iterable[str]) -> int:
    living = 0
    for user_id in users:
        state = partition.state_of(user_id)
        if state.revision:
            partition.committer.touch(user_id, state, changed=False)
            living += 1
    return living
