"""Group commit, one per partition: one state write, one feature row and one score per touched user and group.

A group is what was touched while the group before it awaited the changelog. Its states are sent to the changelog
first; only when the broker holds them are they put into the local store, and row and score published. A batch of
input is settled, and may be acknowledged, when all three are acknowledged for every user it touched.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from features.codec import encode
from features.state import UserState
from streams.emission import Emission, Emitter, Subject
from streams.lease import Lease
from streams.online import OnlineWriter
from streams.publisher import Outgoing, Publisher
from streams.scores import Trigger
from streams.table import LocalStore
from streams.tally import Tally
from streams.tasks import Tasks

GROUP_USERS: Final = 512
"""Users in a group at most: computing their rows must not hold the event loop from other work for long."""

GROUPS_IN_FLIGHT: Final = 16
"""Groups whose rows or scores are not acknowledged yet; further ones wait."""


@dataclass(frozen=True)
class Outlets:
    """Where committed users go, shared by the partitions of a worker.

    Attributes:
        changelog, scores: names of the topics.
        lease: checked before anything is sent.
        on_failure: told of an error, after which this assignment cannot go on: state in memory is ahead of the log.
    """

    changelog: str
    scores: str
    publisher: Publisher
    online: OnlineWriter
    emitter: Emitter
    tally: Tally
    lease: Lease
    on_failure: Callable[[BaseException], None]


class Touch(msgspec.Struct):
    """A user to be committed.

    Attributes:
        state: the live state.
        ticket: when the user was first touched since the last group.
        changed: whether the changelog lacks the state.
        erased: whether an erasure is among what happened: the score topic needs its tombstone.
        topic, offset: of the last event applied; no topic if there is none.
        arrivals: Kafka timestamps (ms) of the events applied.
    """

    state: UserState
    ticket: int
    changed: bool = False
    erased: bool = False
    topic: str = ""
    offset: int = -1
    arrivals: list[int] = []

    def trigger(self, partition: int) -> Trigger | None:
        """The last event applied, one of that partition; None if there is none."""
        return Trigger(self.topic, partition, self.offset) if self.topic else None


class _Group:
    """Users on their way out, as they were when the group was taken."""

    __slots__ = ("arrivals", "done", "emission", "first", "offsets", "states", "users")

    def __init__(self, touches: dict[str, Touch], partition: int, emitter: Emitter) -> None:
        self.users = touches.keys()
        self.first = next(iter(touches.values())).ticket
        self.done = False
        self.arrivals: list[int] = []
        self.states: dict[bytes, bytes] = {}
        offsets: list[list[int]] = []
        subjects: list[Subject] = []
        for user_id, touch in touches.items():
            state = touch.state
            self.arrivals += touch.arrivals
            if touch.changed:
                self.states[user_id.encode()] = encode(state)
                offsets.append(state.offsets)
            subjects.append(Subject(user_id, state, touch.erased, touch.trigger(partition)))
        # Now, for the states go on changing.
        self.offsets = list(map(max, zip(*offsets, strict=True)))
        self.emission: Emission = emitter.emit(subjects)


class Committer:
    """Commits the touched users of one partition.

    Args:
        partition: its number.
        epoch: of this assignment, remembered by the local store.
        states: the local store.
        outlets: where the users go.
    """

    def __init__(self, partition: int, epoch: int, states: LocalStore, outlets: Outlets) -> None:
        self._partition = partition
        self._epoch = epoch
        self._states = states
        self._progress = states.progress(partition)
        self._out = outlets
        self._ticket = 0
        self._touched: dict[str, Touch] = {}
        self._groups: deque[_Group] = deque()
        self._waiters: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._work = asyncio.Event()
        self._slots = asyncio.Semaphore(GROUPS_IN_FLIGHT)
        self._tasks = Tasks(f"commit-{partition}", outlets.on_failure)
        self._tasks.begin(self._run())

    def applied(self, user_id: str, state: UserState, topic: str, offset: int, arrived: int) -> None:
        """Have what an event changed committed with the next group; `arrived` is its Kafka timestamp, ms."""
        touch = self._touch(user_id, state)
        touch.changed = True
        touch.topic = topic
        touch.offset = offset
        touch.arrivals.append(arrived)

    def touch(self, user_id: str, state: UserState, *, changed: bool, erased: bool = False) -> None:
        """Have a user's state (if `changed`), row and score committed with the next group, on account of no event."""
        touch = self._touch(user_id, state)
        touch.changed |= changed
        touch.erased |= erased

    def _touch(self, user_id: str, state: UserState) -> Touch:
        self._ticket += 1
        touch = self._touched.get(user_id)
        if touch is None:
            touch = self._touched[user_id] = Touch(state, self._ticket)
            self._work.set()
        return touch

    def settled(self) -> asyncio.Future[None]:
        """Return a future that is done when everything touched so far is durable and published."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append((self._ticket, waiter))
        self._release()
        return waiter

    def busy_users(self) -> set[str]:
        """Users with changes that the local store does not hold yet."""
        busy = set(self._touched)
        for group in self._groups:
            busy |= group.users
        return busy

    async def stop(self) -> None:
        """Drop what is not committed; its input is not acknowledged and will be delivered again."""
        self._tasks.cancel()
        await self._tasks.ended()
        for _, waiter in self._waiters:
            waiter.cancel()

    async def _run(self) -> None:
        out = self._out
        while True:
            await self._work.wait()
            await self._slots.acquire()
            out.lease.check()
            group = self._take()
            if group.states:
                records = [Outgoing(key, state) for key, state in group.states.items()]
                sent = await out.publisher.send(out.changelog, self._partition, records)
                self._progress = self._progress.onward(
                    await sent.acknowledged(), self._epoch, [group.offsets], group.emission.emitted_at
                )
                self._states.write(self._partition, group.states, self._progress)
                out.lease.check()
            scores = await out.publisher.send(out.scores, self._partition, group.emission.scores)
            self._tasks.begin(self._finish(group, scores.acknowledged(), out.online.put(group.emission.rows)))

    def _take(self) -> _Group:
        touches, self._touched = self._touched, {}
        if len(touches) > GROUP_USERS:
            users = iter(touches.items())
            touches = {user_id: touch for _, (user_id, touch) in zip(range(GROUP_USERS), users, strict=False)}
            self._touched = dict(users)
        else:
            self._work.clear()
        group = _Group(touches, self._partition, self._out.emitter)
        self._groups.append(group)
        return group

    async def _finish(self, group: _Group, scored: Coroutine[Any, Any, int], stored: asyncio.Future[None]) -> None:
        await scored
        self._out.tally.scored(group.arrivals, group.emission.score_count)
        await stored
        self._out.tally.stored(group.arrivals)
        group.done = True
        self._slots.release()
        self._release()

    def _release(self) -> None:
        while self._groups and self._groups[0].done:
            self._groups.popleft()
        oldest = self._ticket + 1
        if self._groups:
            oldest = self._groups[0].first
        elif self._touched:
            oldest = next(iter(self._touched.values())).ticket
        while self._waiters and self._waiters[0][0] < oldest:
            _, waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
