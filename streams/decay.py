"""Quiet users: scored again when a tile leaves a window, and later at growing intervals as recency grows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from features.codec import decode
from features.due import due_of_event, next_due
from features.tiles import MINUTE
from streams.due_times import DueTimes
from streams.partition import Partition
from streams.tasks import Tasks

LEAST_INTERVAL: Final = 5 * MINUTE
"""A user is scored again by the clock at most so often, ms."""

POLL_S: Final = 1.0
USERS_AT_ONCE: Final = 200
"""Users handled before other work gets its turn."""


class Decay:
    """Keeps the due times of one partition and touches its users when they are due.

    Args:
        partition: just recovered.
        clock: the wall clock, ms.
        on_failure: told of an error that ends it.
    """

    def __init__(
        self, partition: Partition, clock: Callable[[], int], on_failure: Callable[[BaseException], None]
    ) -> None:
        self._partition = partition
        self._clock = clock
        self._due = DueTimes()
        self._tasks = Tasks(f"decay-{partition.number}", on_failure)
        partition.on_applied = self._applied

    def start(self) -> None:
        """Schedule the users that were recovered, then touch whoever is due, until stopped."""
        self._tasks.begin(self._run())

    def stop(self) -> None:
        """Touch nobody any more."""
        self._tasks.cancel()

    async def _run(self) -> None:
        await self._schedule_recovered()
        committer = self._partition.committer
        while True:
            now = self._clock()
            if self.touch_due() < USERS_AT_ONCE:
                # Nobody is left who was due; what a restart is not to look for again must be out, though.
                await committer.settled()
                committer.kept_until = now
            await asyncio.sleep(POLL_S)

    def touch_due(self) -> int:
        """Have everybody who is due published again, and return how many that were."""
        now = self._clock()
        users = self._due.take(now, USERS_AT_ONCE)
        for user_id in users:
            state = self._partition.state_of(user_id)
            following = next_due(state, now)
            if following is not None:
                self._due.schedule(user_id, max(following, now + LEAST_INTERVAL))
                self._partition.committer.touch(user_id, state, changed=False)
        return len(users)

    async def _schedule_recovered(self) -> None:
        """Schedule every recovered user from when their features were last kept up: what has left since is due now."""
        states, number = self._partition.states, self._partition.number
        kept_until = states.progress(number).kept_until
        for position, (key, data) in enumerate(states.items(number)):
            state = decode(data)
            due = None if state.newest is None else next_due(state, max(state.newest, kept_until))
            if due is not None:
                self._due.schedule(key.decode(), due)
            if position % USERS_AT_ONCE == 0:
                await asyncio.sleep(0)

    def _applied(self, user_id: str, timestamp: int) -> None:
        self._due.schedule(user_id, due_of_event(timestamp, self._clock()))
