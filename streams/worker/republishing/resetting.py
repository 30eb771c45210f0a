"""After a clock was ahead: the users or items whose record still is are published again, behind a tombstone.

A record that is ahead outranks every right one until its time has come. The tombstone has consumers forget it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, Final

from aiokafka import TopicPartition

from streams.broker.topics.log_ends import high_watermarks
from streams.contract import topic_name
from streams.exceptions import BrokerError
from streams.log import log
from streams.settings import Settings
from streams.tasks import Tasks
from streams.telemetry.metrics import Metrics
from streams.worker.applying.clock_steps import TOLERANCE_MS, ClockSteps
from streams.worker.applying.partition import Partition
from streams.worker.republishing.ahead import Limits, Rank, by_partition
from streams.worker.republishing.ahead_log import find_ahead
from streams.worker.stage_spec import StageSpec

POLL_S: Final = 1.0

RETRY_S: Final = 10.0
"""How soon a broker that did not answer is asked again."""

SLICE_KEYS: Final = 256
"""Keys touched before the next ones wait for these to be published: live events never queue behind more."""


class Resetter:
    """Looks for records ahead of the clock when partitions are taken over, and when the clock was set back.

    Args:
        settings: where the records are.
        spec: of the stage that publishes them.
        partitions: those assigned now, by number.
        clock: the wall clock, ms, that features are as of.
        metrics: count what is published again.
        on_failure: told of an error that ends it.
        wall: the clock that stamps records, ms.

    Attributes:
        looked: whether all was looked at since the last take-over, and what was found is published.
    """

    def __init__(
        self,
        settings: Settings,
        spec: StageSpec,
        partitions: Mapping[int, Partition[Any]],
        clock: Callable[[], int],
        metrics: Metrics,
        on_failure: Callable[[BaseException], None],
        wall: Callable[[], int] = lambda: int(time.time() * 1000),
    ) -> None:
        self._settings = settings
        self._spec = spec
        self._partitions = partitions
        self._clock = clock
        self._metrics = metrics
        self._wall = wall
        self._tasks = Tasks("reset", on_failure)
        self.looked = False

    def begin(self) -> None:
        """Look at the partitions that were just taken over, and at the clock from now on."""
        self._tasks.cancel()
        self.looked = False
        self._tasks.begin(self._run())

    def stop(self) -> None:
        """Look no more."""
        self._tasks.cancel()

    async def _run(self) -> None:
        steps = ClockSteps(self._clock)
        await self._look(lambda: Limits(self._clock() + TOLERANCE_MS, self._wall() + TOLERANCE_MS))
        self.looked = True
        while True:
            await asyncio.sleep(POLL_S)
            if steps.back():
                # A process never stamps a record earlier than the one before, whatever its clock does.
                await self._look(lambda: Limits(self._clock() + TOLERANCE_MS, None))

    async def _look(self, limits_now: Callable[[], Limits]) -> None:
        assigned = dict(self._partitions)
        topics = [topic_name(self._settings, topic) for topic in self._spec.outputs(self._settings)]
        logs = [TopicPartition(topic, number) for topic in topics for number in assigned]
        told = False
        while True:
            try:
                ends = await high_watermarks(self._settings, logs)
                # Not before: a broker that lets wait for them would have this worker's own records look ahead.
                limits = limits_now()
                found = await find_ahead(self._settings, ends, limits)
            except BrokerError as error:
                # Asked again until it answers, or the partitions are let go.
                if not told:
                    log.warning("could not look for records ahead of the clock, trying again", error=str(error))
                told = True
                await asyncio.sleep(RETRY_S)
            else:
                break
        for number, keys in by_partition(found).items():
            await self._reset(number, assigned[number], keys, limits)

    async def _reset(
        self, number: int, partition: Partition[Any], keys: Mapping[bytes, Rank | None], limits: Limits
    ) -> None:
        furthest, reset = 0, 0
        coming = iter(keys.items())
        # A partition that another worker owns now is theirs to look at.
        while self._partitions.get(number) is partition and (part := list(islice(coming, SLICE_KEYS))):
            for encoded, rank in part:
                key = encoded.decode()
                state = partition.state_of(key)
                if limits.wronged(state, rank):
                    partition.touch(key, state, reset=True)
                    furthest = max(furthest, 0 if rank is None else limits.lead(rank))
                    reset += 1
            # Waited for, not awaited: it is cancelled with the partition.
            await asyncio.wait([partition.settled()])
        if reset:
            self._metrics.reset.labels(self._spec.name).inc(reset)
            log.warning(
                "records were ahead of this worker's clock, what they are of is published again: a clock was wrong",
                stage=self._spec.name,
                partition=number,
                keys=reset,
                furthest_s=furthest // 1000,
            )
