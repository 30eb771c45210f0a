"""Looking whether the online store has the rows of partitions, and publishing them again where it has not.

It is looked at when partitions are taken over, and when a store is back that refused rows.

Nothing is remembered of a refill. Of the keys that are looked for it publishes half first, and half last. One that was
cut short, by a restart or a rebalance, is so found out by whoever takes the partition over next, and one in whose midst
the store lost its rows once more by the look that follows.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, islice
from operator import lt
from typing import Any, Final

from prometheus_client import Counter

from features.exceptions import OnlineStoreError
from streams.log import log
from streams.tasks import Tasks
from streams.worker.applying.partition import Partition
from streams.worker.publishing.online_writer import OnlineWriter
from streams.worker.republishing.sweeping import Passed, Sweep, known

SAMPLE_KEYS: Final = 16
"""Keys of a partition whose rows are looked for."""

LOOKED_THROUGH: Final = 4096
"""Keys of a partition among which those are sought: a store of erased ones alone must not hold up the event loop."""

RETRY_S: Final = 10.0
"""How soon a store that did not answer is asked again."""


class Refiller:
    """Publishes the keys of partitions again whose rows the online store lacks.

    Args:
        partitions: those assigned now, by number.
        online: writes their rows, and tells which are there.
        users_per_s: users or items published in a second, at most.
        published: counts them.
        on_failure: told of an error that ends it.
        keys: what they are, for the log.

    Attributes:
        looked: whether all was looked at since the last take-over, and what was lacking is published.
    """

    def __init__(
        self,
        partitions: Mapping[int, Partition[Any]],
        online: OnlineWriter,
        users_per_s: int,
        published: Counter,
        on_failure: Callable[[BaseException], None],
        keys: str,
    ) -> None:
        self._partitions = partitions
        self._online = online
        self._users_per_s = users_per_s
        self._published = published
        self._keys = keys
        self._tasks = Tasks("refill", on_failure)
        self._look_again = False
        self.looked = False

    def begin(self, begins: Mapping[int, Sequence[int]]) -> None:
        """Look at the partitions that were just taken over.

        Args:
            begins: for each of them, by source, the committed offset: the rows of what lies before are acknowledged,
                and the rest is delivered again. All rows of a partition that is not there are to be in the store.
        """
        self._tasks.cancel()
        self.looked = False
        self._tasks.begin(self._run(begins))

    def again(self) -> None:
        """Look at all partitions that are held, after a failure of the store; a look under way ends first."""
        if self.looked:
            self.begin({})
        else:
            self._look_again = True

    def stop(self) -> None:
        """Look no more, and publish nothing more."""
        self._tasks.cancel()

    async def _run(self, begins: Mapping[int, Sequence[int]]) -> None:
        while True:
            self._look_again = False
            if lacking := await self._look(begins):
                await self._refill(lacking)
            if not self._look_again:
                break
            begins = {}
        self.looked = True

    async def _look(self, begins: Mapping[int, Sequence[int]]) -> list[tuple[Partition[Any], list[str]]]:
        lacking = []
        for number, partition in dict(self._partitions).items():
            sample = _living(partition, begins.get(number))
            # What is on its way is not lacking. Waited for, not awaited: it is cancelled with the partition.
            await asyncio.wait([partition.settled()])
            if await self._lacks(sample):
                lacking.append((partition, sample))
        return lacking

    async def _lacks(self, keys: Sequence[str]) -> bool:
        told = False
        while True:
            try:
                return not await self._online.has_all(keys)
            except OnlineStoreError as error:
                # Asked again until it answers, or the partitions are let go.
                if not told:
                    log.warning(
                        f"could not ask the online store for {self._keys} that it should have, trying again",
                        error=str(error),
                    )
                told = True
                await asyncio.sleep(RETRY_S)

    async def _refill(self, lacking: Sequence[tuple[Partition[Any], Sequence[str]]]) -> None:
        began = time.monotonic()
        out = Passed()

        def count(passed: Passed) -> None:
            nonlocal out
            out = Passed(out.living + passed.living, out.erased + passed.erased)
            self._published.inc(sum(passed))

        log.warning(
            f"the online store lacks {self._keys}, publishing all of them again",
            partitions=sorted(partition.number for partition, _ in lacking),
            users_per_s=self._users_per_s,
        )
        sweep = Sweep(lambda: self._partitions, self._users_per_s, count, erased=True)
        for partition, sample in lacking:
            half = len(sample) // 2
            rest = (key for key in known(partition) if key not in sample)
            await sweep.some(partition, chain(sample[half:], rest, sample[:half]))
        log.info(
            f"{self._keys} published again",
            living=out.living,
            erased=out.erased,
            seconds=round(time.monotonic() - began, 1),
        )


def _living(partition: Partition[Any], begins: Sequence[int] | None) -> list[str]:
    """Return the first living keys of the local store, if `begins` is given those with no record behind these."""
    looked = islice(partition.states.items(partition.number), LOOKED_THROUGH)
    states = ((key.decode(), partition.entity.decode(stored)) for key, stored in looked)
    living = (
        key for key, state in states if state.revision and (begins is None or all(map(lt, state.offsets, begins)))
    )
    return list(islice(living, SAMPLE_KEYS))
