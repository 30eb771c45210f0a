"""Group commit, one per partition: one state write, one feature row and one score per touched user and group.

A group is what was touched while the group before it awaited the changelog. `Committer._commit` enforces the order in
which changelog, local store, score, row and committed offset come about.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import islice
from typing import Final

from msgspec.structs import replace

from features.users.state import UserState
from streams.broker.lease import Lease
from streams.broker.publisher import Publisher, Sent, Written
from streams.records.outgoing import Outgoing
from streams.tasks import Tasks
from streams.telemetry.tally import Tally
from streams.worker.publishing.capacity_topic import CapacityTopic
from streams.worker.publishing.group import Group, Touch
from streams.worker.publishing.online_writer import OnlineWriter
from streams.worker.publishing.reach import Reach
from streams.worker.publishing.rounds import Rounds, Scored
from streams.worker.state.local_store import LocalStore

GROUP_USERS: Final = 512
"""Users in a group at most: computing their rows must not hold the event loop from other work for long."""

GROUPS_IN_FLIGHT: Final = 16
"""Groups whose rows or scores are not acknowledged yet; further ones wait."""


@dataclass(frozen=True)
class Outlets:
    """Where committed users go, shared by the partitions of a worker.

    Attributes:
        changelog, scores: names of the topics.
        capacity: finds that of capacity.
        rounds: where groups are taken, together with those of the other partitions.
        lease: checked before anything is sent.
        on_failure: told of an error, after which this assignment cannot go on: state in memory is ahead of the log.
    """

    changelog: str
    scores: str
    capacity: CapacityTopic
    publisher: Publisher
    online: OnlineWriter
    rounds: Rounds
    tally: Tally
    lease: Lease
    on_failure: Callable[[BaseException], None]


class Committer:
    """Commits the touched users of one partition.

    Args:
        partition: its number.
        epoch: of this assignment, remembered by the local store.
        states: the local store.
        outlets: where the users go.

    Attributes:
        kept_until: wall time (ms) up to which users whose features change by the clock alone are published. The local
            store remembers it with the states of the next group.
    """

    def __init__(self, partition: int, epoch: int, states: LocalStore, outlets: Outlets) -> None:
        self._partition = partition
        self._epoch = epoch
        self._states = states
        self._progress = states.progress(partition)
        self._reach = Reach(self._progress.offset)
        self._out = outlets
        self.kept_until = self._progress.kept_until
        self._ticket = 0
        self._touched: dict[str, Touch] = {}
        self._groups: deque[Group] = deque()
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

    def touch(
        self, user_id: str, state: UserState, *, changed: bool, erased: bool = False, reset: bool = False
    ) -> None:
        """Have a user's state (if `changed`), row and score committed with the next group, on account of no event."""
        touch = self._touch(user_id, state)
        touch.changed |= changed
        touch.erased |= erased
        touch.reset |= reset

    def _touch(self, user_id: str, state: UserState) -> Touch:
        self._ticket += 1
        touch = self._touched.get(user_id)
        if touch is None:
            touch = self._touched[user_id] = Touch(state, self._ticket)
            self._work.set()
        return touch

    def passed(self, start: int, stop: int, users: Collection[str]) -> None:
        """Take note that records of somebody else in the changelog were looked at.

        Args:
            start: the offset of the first.
            stop: the offset after the last.
            users: those who are written again for them, which the local store remembers until it is done.
        """
        self._reach.add(start, stop - 1)
        outranked = {*self._progress.outranked, *(user_id.encode() for user_id in users)}
        self._progress = replace(self._progress, outranked=tuple(sorted(outranked)))

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

    @property
    def quiet(self) -> bool:
        """Whether everything touched so far is acknowledged by the broker and the online store."""
        return not self._touched and not self._groups

    async def stop(self) -> None:
        """Drop what is not committed; its input is not acknowledged and will be delivered again."""
        self._tasks.cancel()
        await self._tasks.ended()
        for _, waiter in self._waiters:
            waiter.cancel()

    async def _run(self) -> None:
        while True:
            await self._work.wait()
            await self._slots.acquire()
            self._out.lease.check()
            await self._commit(await self._out.rounds.join(self._take))

    async def _commit(self, scored: Scored) -> None:
        """Bring a group out, in five steps of which none begins before the one before it is done.

        This method takes the first three and begins the fourth; the fifth belongs to the lane and the ledger.

        1. Changelog: the new states are sent, and the broker has acknowledged them.
        2. Local store: it takes these states, in one write with how far into the changelog they are.
        3. Score, capacity and row: the records are sent to the broker, the rows handed to the online store's writer.
        4. Settle: broker and online store have acknowledged all. Futures of `settled` are done, the oldest first.
        5. Commit of the offsets: the lane acknowledges its batch, and the consumer commits what its ledger has
           acknowledged without a gap.

        A crash between two steps repeats the later ones and misses none: the input is delivered again, and a state
        that holds it already is published again. Step 4 is a task of its own (`_settle`), so that the next group goes
        to the changelog meanwhile.

        Raises:
            LeaseLostError: the partition may be somebody else's; the steps that are left are not taken.
            KafkaError: the broker has not taken the states or records in time.
        """
        out, (group, emission) = self._out, scored
        if group.states:
            records = [Outgoing(key, state) for key, state in group.states.items()]
            sent = await out.publisher.send(out.changelog, self._partition, records)
            self._keep(group, await sent.acknowledged())
            out.lease.check()
        scores = await out.publisher.send(out.scores, self._partition, emission.scores)
        estimates = None
        if emission.capacity and (topic := await out.capacity.name(self._partition, out.lease)) is not None:
            estimates = await out.publisher.send(topic, self._partition, emission.capacity)
        self._tasks.begin(self._settle(scored, scores, estimates, out.online.put(emission.rows)))

    def _keep(self, group: Group, written: Written) -> None:
        """Put into the local store what the changelog holds."""
        # Until what somebody else has put in between is looked at, a recovery has to begin before it.
        if written.together:
            self._reach.add(written.first, written.last)
        progress = self._progress.onward(self._reach.offset, self._epoch, [group.offsets], self.kept_until)
        self._progress = progress.without(group.states)
        self._states.write(self._partition, group.states, self._progress)

    def _take(self) -> Group:
        touches = self._touched
        left: dict[str, Touch] = {}
        if len(touches) > GROUP_USERS:
            users = iter(touches.items())
            touches = dict(islice(users, GROUP_USERS))
            left = dict(users)
        # Before anything is taken out: should this fail, a touch in neither would count as settled.
        group = Group(touches, self._partition, self._epoch)
        self._groups.append(group)
        self._touched = left
        if not left:
            self._work.clear()
        return group

    async def _settle(self, scored: Scored, scores: Sent, estimates: Sent | None, stored: asyncio.Future[None]) -> None:
        group, emission = scored
        await scores.acknowledged()
        self._out.tally.scored(group.arrivals, emission.score_count)
        if estimates is not None:
            await estimates.acknowledged()
            self._out.tally.estimated(emission.estimate_count)
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
