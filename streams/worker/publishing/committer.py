"""Group commit, one per partition: one state write, one feature row and one record per touched key and group.

A key is a user's or an item's id. A group is what was touched while the group before it awaited the changelog.
`Committer._commit` enforces the order in which facts, changelog, local store, record, row and committed offset come
about.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Sequence
from itertools import islice
from typing import Any, Final, Generic

from msgspec.structs import replace

from features.entity import Entity, S
from streams.broker.publisher import Sent, Written
from streams.records.outgoing import Outgoing
from streams.tasks import Tasks
from streams.worker.publishing.group import Group, Touch
from streams.worker.publishing.outlets import Outlets
from streams.worker.publishing.reach import Reach
from streams.worker.publishing.rounds import Emitted
from streams.worker.state.local_store import LocalStore

GROUP_KEYS: Final = 512
"""Users or items in a group at most: computing their rows must not hold the event loop from other work for long."""

GROUPS_IN_FLIGHT: Final = 16
"""Groups whose rows or records are not acknowledged yet; further ones wait."""


class Committer(Generic[S]):
    """Commits the touched users or items of one partition.

    Args:
        entity: what they are.
        partition: its number.
        epoch: of this assignment, remembered by the local store.
        states: the local store.
        outlets: where they go.

    Attributes:
        kept_until: wall time (ms) up to which keys whose features change by the clock alone are published. The local
            store remembers it with the states of the next group.
    """

    def __init__(self, entity: Entity[S], partition: int, epoch: int, states: LocalStore, outlets: Outlets[S]) -> None:
        self._encode = entity.encode
        self._partition = partition
        self._epoch = epoch
        self._states = states
        self._progress = states.progress(partition)
        self._reach = Reach(self._progress.offset)
        self._out = outlets
        self.kept_until = self._progress.kept_until
        self._ticket = 0
        self._touched: dict[str, Touch[S]] = {}
        self._facts: list[Any] = []
        self._untold: Exception | None = None
        self._groups: deque[Group[S]] = deque()
        self._waiters: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._work = asyncio.Event()
        self._slots = asyncio.Semaphore(GROUPS_IN_FLIGHT)
        self._tasks = Tasks(f"commit-{partition}", outlets.on_failure)
        self._tasks.begin(self._run())

    def applied(self, key: str, state: S, topic: str, offset: int, arrived: int) -> None:
        """Have what an event changed committed with the next group; `arrived` is its Kafka timestamp, ms."""
        touch = self._touch(key, state)
        touch.changed = True
        touch.topic = topic
        touch.offset = offset
        touch.arrivals.append(arrived)

    def tell(self, fact: Any) -> None:
        """Have a fact of an event that was just applied sent before any state that holds the event.

        It leaves with the next group, whichever keys are in that: were the facts of others left behind, a later place
        of a source would overtake an earlier one, which the item would then take for a repetition.
        """
        self._facts.append(fact)

    def not_told(self, error: Exception) -> None:
        """Let no further state leave: one of them holds an event whose fact could not be made."""
        self._untold = error

    def touch(self, key: str, state: S, *, changed: bool, erased: bool = False, reset: bool = False) -> None:
        """Have a state (if `changed`), row and record committed with the next group, on account of no event."""
        touch = self._touch(key, state)
        touch.changed |= changed
        touch.erased |= erased
        touch.reset |= reset

    def _touch(self, key: str, state: S) -> Touch[S]:
        self._ticket += 1
        touch = self._touched.get(key)
        if touch is None:
            touch = self._touched[key] = Touch(state, self._ticket)
            self._work.set()
        return touch

    def passed(self, start: int, stop: int, keys: Collection[str]) -> None:
        """Take note that records of somebody else in the changelog were looked at.

        Args:
            start: the offset of the first.
            stop: the offset after the last.
            keys: those that are written again for them, which the local store remembers until it is done.
        """
        self._reach.add(start, stop - 1)
        outranked = {*self._progress.outranked, *(key.encode() for key in keys)}
        self._progress = replace(self._progress, outranked=tuple(sorted(outranked)))

    def settled(self) -> asyncio.Future[None]:
        """Return a future that is done when everything touched so far is durable and published."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append((self._ticket, waiter))
        self._release()
        return waiter

    def busy(self) -> set[str]:
        """Keys with changes that the local store does not hold yet."""
        busy = set(self._touched)
        for group in self._groups:
            busy |= group.keys
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

    async def _commit(self, emitted: Emitted[S]) -> None:
        """Bring a group out, in six steps of which none begins before the one before it is done.

        This method takes the first four and begins the fifth; the sixth belongs to the lane and the ledger.

        1. Facts: those of all events applied since the group before are sent, and the broker has acknowledged them.
        2. Changelog: the new states are sent, and the broker has acknowledged them.
        3. Local store: it takes these states, in one write with how far into the changelog they are.
        4. Records and rows: the records are sent to the broker, the rows handed to the online store's writer.
        5. Settle: broker and online store have acknowledged all. Futures of `settled` are done, the oldest first.
        6. Commit of the offsets: the lane acknowledges its batch, and the consumer commits what its ledger has
           acknowledged without a gap.

        A crash between two steps repeats the later ones and misses none: the input is delivered again. An event whose
        state is not in the changelog gives its fact again, at the same place; a state that holds the event already
        gives none, and is published again. Step 5 is a task of its own (`_settle`), so that the next group goes to the
        changelog meanwhile.

        Raises:
            LeaseLostError: the partition may be somebody else's; the steps that are left are not taken.
            KafkaError: the broker has not taken the facts, states or records in time.
        """
        out, (group, emission) = self._out, emitted
        if group.facts and out.facts is not None:
            await out.facts.send(self._partition, group.facts)
            out.lease.check()
        if group.states:
            records = [Outgoing(key, state) for key, state in group.states.items()]
            sent = await out.publisher.send(out.changelog, self._partition, records)
            self._keep(group, await sent.acknowledged())
            out.lease.check()
        published: list[tuple[str, Sent]] = []
        for topic, records in emission.records.items():
            name = await out.topics.name(topic, self._partition, out.lease)
            if name is not None:
                published.append((topic, await out.publisher.send(name, self._partition, records)))
        self._tasks.begin(self._settle(emitted, published, out.online.put(emission.rows)))

    def _keep(self, group: Group[S], written: Written) -> None:
        """Put into the local store what the changelog holds."""
        # Until what somebody else has put in between is looked at, a recovery has to begin before it.
        if written.together:
            self._reach.add(written.first, written.last)
        progress = self._progress.onward(self._reach.offset, self._epoch, [group.offsets], self.kept_until)
        self._progress = progress.without(group.states)
        self._states.write(self._partition, group.states, self._progress)

    def _take(self) -> Group[S]:
        if self._untold is not None:
            raise self._untold
        touches = self._touched
        left: dict[str, Touch[S]] = {}
        if len(touches) > GROUP_KEYS:
            keys = iter(touches.items())
            touches = dict(islice(keys, GROUP_KEYS))
            left = dict(keys)
        # Before anything is taken out: should this fail, a touch in neither would count as settled.
        group = Group(touches, self._facts, self._partition, self._epoch, self._encode)
        self._groups.append(group)
        self._touched = left
        self._facts = []
        if not left:
            self._work.clear()
        return group

    async def _settle(
        self, emitted: Emitted[S], published: Sequence[tuple[str, Sent]], stored: asyncio.Future[None]
    ) -> None:
        group, emission = emitted
        for topic, sent in published:
            await sent.acknowledged()
            self._out.published[topic](group.arrivals, emission.count(topic))
        await stored
        self._out.stored(group.arrivals)
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
