"""Decay: who is quiet is published again when a tile leaves a window, and later at growing intervals.

A key is a user's or an item's id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Generic

from features.entity import S
from features.tiles import MINUTE
from features.window_exits import due_of_event, next_due
from streams.log import log
from streams.tasks import Tasks
from streams.telemetry.metrics import Metrics
from streams.worker.applying.clock_steps import ClockSteps
from streams.worker.applying.due_times import DueTimes
from streams.worker.applying.partition import Partition

LEAST_INTERVAL: Final = 5 * MINUTE
"""A key is published again by the clock at most so often, ms."""

POLL_S: Final = 1.0

SLICE_KEYS: Final = 256
"""Keys touched before the next ones wait for these to be published: live events never queue behind more. Slices
of due keys follow one another without a pause, so the worker's own speed is the limit."""

SCAN_KEYS: Final = 200
"""Keys scheduled before other work gets its turn."""


def schedules(due: DueTimes, clock: Callable[[], int]) -> Callable[[str, int], None]:
    """Return what has a key become due after what was applied of it, given the key and the time (ms) of that.

    Args:
        due: of the partition.
        clock: the wall clock, ms.
    """

    def schedule(key: str, timestamp: int) -> None:
        due.schedule(key, due_of_event(timestamp, clock()))

    return schedule


class Decay(Generic[S]):
    """Keeps the due times of one partition and touches its keys when they are due.

    Args:
        partition: just recovered.
        due: made before the partition, which schedules there the keys of what it applies (`schedules`).
        clock: the wall clock, ms.
        metrics: told how many keys wait, and for how long.
        on_failure: told of an error that ends it.
    """

    def __init__(
        self,
        partition: Partition[S],
        due: DueTimes,
        clock: Callable[[], int],
        metrics: Metrics,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._partition = partition
        self._clock = clock
        self._steps = ClockSteps(clock)
        self._metrics = metrics
        self._labels = f"{partition.entity.name}s", str(partition.number)
        self._due = due
        self._tasks = Tasks(f"decay-{partition.number}", on_failure)

    def start(self) -> None:
        """Schedule the keys that were recovered, then touch keys as they become due, until stopped."""
        self._trust_no_instant_to_come()
        self._tasks.begin(self._run())

    def stop(self) -> None:
        """Touch nobody any more, and tell no more of this partition."""
        self._tasks.cancel()
        for gauge in (self._metrics.decay_backlog, self._metrics.decay_lateness):
            gauge.remove(*self._labels)

    async def _run(self) -> None:
        await self._schedule_stored()
        while True:
            await self._notice_a_step()
            now = self._clock()
            touched = self.touch_due()
            self._tell(now)
            await self._partition.settled()
            # These keys are published, so a restart need not look for them again.
            self._partition.keep_until(self._due.kept_until(now))
            # Erased ones may be due and are not touched: then `settled` has not waited.
            await asyncio.sleep(POLL_S if touched < SLICE_KEYS else 0)

    def touch_due(self) -> int:
        """Have the next slice of those who are due published again, and return how many were due."""
        now = self._clock()
        keys = self._due.take(now, SLICE_KEYS)
        for key in keys:
            state = self._partition.state_of(key)
            following = next_due(state, now)
            if following is not None:
                self._due.schedule(key, max(following, now + LEAST_INTERVAL))
                self._partition.touch(key, state)
        return len(keys)

    def _tell(self, now: int) -> None:
        self._metrics.decay_backlog.labels(*self._labels).set(self._due.backlog(now))
        self._metrics.decay_lateness.labels(*self._labels).set(self._due.lateness(now) / 1000)

    async def _notice_a_step(self) -> None:
        back = self._steps.back()
        if back:
            log.warning(
                "the clock was set back, due times are found anew", partition=self._partition.number, by_s=back / 1000
            )
            # Due times that were scheduled by the wrong clock may lie as far ahead as it did.
            self._due.clear()
            self._trust_no_instant_to_come()
            await self._schedule_stored()

    def _trust_no_instant_to_come(self) -> None:
        """Go back to the clock: an instant ahead of it was stored by a wrong clock, and its keys are due again."""
        self._partition.keep_until(min(self._partition.kept_until, self._clock()))

    async def _schedule_stored(self) -> None:
        """Schedule every key from `kept_until` on: a tile that has left a window since makes its key due now."""
        partition = self._partition
        states, number, decode = partition.states, partition.number, partition.entity.decode
        kept_until = self._partition.kept_until
        # The store does not hold these in full yet.
        for key in self._partition.busy():
            self._schedule(key, self._partition.state_of(key), kept_until)
        for position, (stored, data) in enumerate(states.items(number)):
            self._schedule(stored.decode(), decode(data), kept_until)
            if position % SCAN_KEYS == 0:
                await asyncio.sleep(0)

    def _schedule(self, key: str, state: S, kept_until: int) -> None:
        due = None if state.newest is None else next_due(state, max(state.newest, kept_until))
        if due is not None:
            self._due.schedule(key, due)
