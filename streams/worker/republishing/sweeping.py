"""Publishing users again in the background, a slice at a time, while their partition stays assigned."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, NamedTuple

from streams.worker.applying.partition import Partition

SLICE_USERS: Final = 100
"""Users touched before the next ones wait for these to be published: live events never queue behind more."""

LARGEST_SLICE_USERS: Final = 512
"""The same where a rate is asked for that slices of `SLICE_USERS`, each awaited, would not reach: a whole group."""

SLICES_PER_S: Final = 5
"""Slices that one partition publishes in a second, at least: each waits for the freshness deadline of its rows."""

Partitions = Callable[[], Mapping[int, Partition[Any]]]
"""The partitions assigned now, by number."""


class Passed(NamedTuple):
    """Users whose row and score, or removal and tombstone, are out."""

    living: int = 0
    erased: int = 0


class Sweep:
    """Publishes users again, as they are.

    Args:
        partitions: those assigned now.
        users_per_s: users touched in a second, at most; None for no limit but that each slice is awaited.
        erased: whether the erased are published too, each as a removal and a tombstone.
        passed: told of every slice once it is out.
    """

    def __init__(
        self, partitions: Partitions, users_per_s: int | None, passed: Callable[[Passed], object], *, erased: bool
    ) -> None:
        self._partitions = partitions
        self._slice_users = LARGEST_SLICE_USERS
        self._slice_s = 0.0
        if users_per_s is not None:
            self._slice_users = min(LARGEST_SLICE_USERS, max(SLICE_USERS, users_per_s // SLICES_PER_S))
            self._slice_s = self._slice_users / users_per_s
        self._passed = passed
        self._erased = erased

    async def everybody(self, partition: Partition[Any]) -> bool:
        """Publish every user of a partition; return whether it stayed assigned until all were out."""
        return await self.some(partition, known(partition))

    async def some(self, partition: Partition[Any], users: Iterable[str]) -> bool:
        """Publish these users of a partition; return whether it stayed assigned until all were out."""
        coming = iter(users)
        # A store that another worker owns now is closed: it must not be read on.
        while self._owned(partition):
            names = list(islice(coming, self._slice_users))
            if not names:
                return True
            next_at = time.monotonic() + self._slice_s
            passed = self._touch(partition, names)
            # Waited for, not awaited: it is cancelled with the partition, and the sweep goes on with the next one.
            settled = partition.settled()
            await asyncio.wait([settled])
            if settled.cancelled():
                return False
            self._passed(passed)
            await asyncio.sleep(next_at - time.monotonic())
        return False

    def _owned(self, partition: Partition[Any]) -> bool:
        return self._partitions().get(partition.number) is partition

    def _touch(self, partition: Partition[Any], users: Iterable[str]) -> Passed:
        living = erased = 0
        for user_id in users:
            state = partition.state_of(user_id)
            if state.revision:
                partition.touch(user_id, state)
                living += 1
            elif self._erased and state.sequence:
                # What changed once, and of which nothing is counted, was erased or forgotten since.
                partition.touch(user_id, state, erased=True)
                erased += 1
        return Passed(living, erased)


def known(partition: Partition[Any]) -> Iterator[str]:
    """Yield every user of a partition, some of them twice, the erased among them."""
    # Busy users may not be in the local store yet.
    yield from partition.busy()
    for key, _ in partition.states.items(partition.number):
        yield key.decode()
