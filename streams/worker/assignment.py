"""An assignment: the partitions that one rebalance gave this worker, and all that was made for them.

It ends as a whole. Partitions, lanes, producer and lease are made anew by every take-over and belong to one
assignment, so a step of an earlier one that comes late finds nothing that it could change.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from aiokafka import TopicPartition

from streams.broker.lease import Lease
from streams.broker.publisher import Publisher
from streams.log import log
from streams.worker.applying.decay import Decay, schedules
from streams.worker.applying.due_times import DueTimes
from streams.worker.applying.lane import Lane
from streams.worker.applying.partition import Partition
from streams.worker.epochs import epoch_of
from streams.worker.equipment import Equipment, TakeOver
from streams.worker.publishing.outlets import Outlets
from streams.worker.republishing.strays import Strays
from streams.worker.state.local_store import LocalStore

DRAIN_S: Final = 5.0
"""How long partitions that move away may take to settle; what is not settled is delivered again."""

DRAIN_SHARE: Final = 0.8
"""Share of the remaining lease: the broker waits for this worker no longer, and has to hear from it in between."""


class Superseded(Exception):
    """A rebalance has ended the assignment that a step was for; the caller has nothing more to do."""


@dataclass(frozen=True)
class Furnishing:
    """What assignments are furnished with.

    Attributes:
        states: the local store.
        epochs: the last epoch that this process took for each partition. Two assignments in one second of one
            generation would have the same, and what the first has under way may lie behind the recovered changelog.
        equipment: of the stage: makes outlets, partitions and handlers.
        clock: the wall clock, ms, by which what is quiet becomes due; None where features are not as of a clock.
        publisher: makes a producer under a lease, told who listens to its acknowledgements.
        strays: makes the watch on the logs of partitions.
        hold: told (serial of the assignment, partition, the offset that is not to be committed yet; None for none).
        on_failure: told of (assignment, error): it cannot go on.
    """

    states: LocalStore
    epochs: dict[int, int]
    equipment: Equipment
    clock: Callable[[], int] | None
    publisher: Callable[[Lease, Callable[[str, int, int, int], None]], Publisher]
    strays: Callable[[Mapping[int, Partition[Any]], Callable[[BaseException], None]], Strays]
    hold: Callable[[int, int, int | None], None]
    on_failure: Callable[[Assignment, BaseException], None]


class Assignment:
    """What one rebalance gave this worker.

    Args:
        serial: its number among the assignments of this worker, which no two of them share.
        generation: of the group. A member that joins again may be given another assignment in the same one.
        lease: on its partitions; ends with the assignment at the latest.

    Attributes:
        serial, lease: see above.
        partitions: taken over, by number; none before `open` and after `end`.
        decays: the keepers of their quiet users.
        accepting: whether events are taken: not before `open` and no more once `end` began. Events delivered
            outside would be applied after a gap, and the offset fence would take the events of the gap for applied.
    """

    def __init__(self, serial: int, generation: int, lease: Lease) -> None:
        self.serial = serial
        self._generation = generation
        self.lease = lease
        self.partitions: dict[int, Partition[Any]] = {}
        self.decays: dict[int, Decay[Any]] = {}
        self.accepting = False
        self._ended = False
        self._ending: asyncio.Task[None] | None = None
        self._steps: set[asyncio.Task[Any]] = set()
        self._lanes: dict[tuple[str, int], Lane] = {}
        self._publisher: Publisher | None = None
        self._strays: Strays | None = None
        self._furnishing: Furnishing

    async def during(self, step: Coroutine[Any, Any, None]) -> None:
        """Await a step of a take-over, which ends with the assignment.

        Raises:
            Superseded: the assignment has ended, before the step or while it was under way.
        """
        if self._ended:
            step.close()
            raise Superseded
        task = asyncio.create_task(step, name=f"take-over-{self.serial}")
        self._steps.add(task)
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()
            self._steps.discard(task)
        if self._ended or task.cancelled():
            if not task.cancelled():
                # Retrieved, or the event loop would log it: nobody waits for the result of this step.
                task.exception()
            raise Superseded
        task.result()

    async def open(
        self,
        furnishing: Furnishing,
        begins: Mapping[int, Mapping[str, int]],
        ends: Mapping[TopicPartition, int],
    ) -> None:
        """Take over partitions whose state is recovered and checked, and accept events of them.

        Args:
            furnishing: what to do it with.
            begins: for each partition, by topic of the contract, the offset from which it is delivered.
            ends: of the logs that only their owner writes; the recovered state knows all before them.
        """
        self._furnishing = furnishing
        self._strays = furnishing.strays(self.partitions, self._failed)
        self._publisher = furnishing.publisher(self.lease, self._strays.written)
        await self._publisher.start()
        outlets = furnishing.equipment.outlets(self._publisher, self.lease, self._failed)
        for number, first in begins.items():
            self.partitions[number] = self._take(number, first, outlets)
        self._strays.watch(ends)
        self.accepting = True

    def _take(self, number: int, begins: Mapping[str, int], outlets: Outlets[Any]) -> Partition[Any]:
        furnishing, clock, due = self._furnishing, self._furnishing.clock, DueTimes()
        progress = furnishing.states.progress(number)
        seen = max(progress.epoch, furnishing.epochs.get(number, 0))
        epoch = furnishing.epochs[number] = epoch_of(self._generation, int(time.time() * 1000), seen)
        # A worker that is back after a restart may be in the same generation, with a clock that went back since, and
        # rows that went out under this epoch are not always in the changelog.
        furnishing.states.write(number, {}, progress.onward(progress.offset, epoch, []))
        equipment = furnishing.equipment
        partition = equipment.partition(
            TakeOver(
                number=number,
                epoch=epoch,
                states=furnishing.states,
                outlets=outlets,
                cached=lambda: equipment.cached // max(1, len(self.partitions)),
                begins=begins,
                on_applied=None if clock is None else schedules(due, clock),
            )
        )
        if clock is not None:
            self.decays[number] = Decay(partition, due, clock, equipment.metrics, self._failed)
            self.decays[number].start()
        return partition

    def submit(self, topic: str, event: Any) -> None:
        """Take a batch of a topic of the contract, as a Faust event; one of another assignment is not taken."""
        if not self.accepting or event.message.generation_id != self.serial:
            return
        number = event.message.partition
        lane = self._lanes.get((topic, number))
        if lane is None:
            partition, furnishing = self.partitions[number], self._furnishing
            hold = partial(furnishing.hold, self.serial)
            handler = furnishing.equipment.handler(topic, partition, hold, self._failed)
            lane = self._lanes[topic, number] = Lane(f"{topic}-{number}", handler, partition.settled, self._failed)
        lane.submit(event)

    @property
    def paused(self) -> bool:
        """Whether the clicks of a partition wait for titles, since as many wait as may."""
        return any(lane.paused for lane in self._lanes.values())

    async def end(self) -> None:
        """Settle what is applied, as long as the lease and `DRAIN_S` allow, and let everything go.

        It is done once, however often it is asked for, and to its end, even if the caller stops waiting.
        """
        if self._ending is None:
            self._ended = True
            self.accepting = False
            # At once: a step that is about to go on must find that its assignment has ended.
            for step in self._steps:
                step.cancel()
            self._ending = asyncio.create_task(self._end(), name=f"end-{self.serial}")
        await asyncio.shield(self._ending)

    async def _end(self) -> None:
        for lane in self._lanes.values():
            lane.close()
        try:
            await self._drain()
        finally:
            await self._let_go()

    @property
    def patience_s(self) -> float:
        """How long the end may wait for what is applied: shorter than the broker waits for this worker, in seconds."""
        return min(DRAIN_S, DRAIN_SHARE * self.lease.remaining_s)

    async def _drain(self) -> None:
        lanes = self._lanes.values()
        try:
            await asyncio.wait_for(asyncio.gather(*(lane.drain() for lane in lanes)), self.patience_s)
        except TimeoutError:
            log.warning(
                "partitions left unsettled, their last events will be delivered again", partitions=len(self.partitions)
            )

    async def _let_go(self) -> None:
        for lane in self._lanes.values():
            lane.stop()
        for decay in self.decays.values():
            decay.stop()
        if self._strays is not None:
            self._strays.stop()
        for partition in self.partitions.values():
            await partition.stop()
        self.lease.end()
        self._lanes.clear()
        self.decays.clear()
        self.partitions.clear()
        if self._publisher is not None:
            await self._publisher.abandon()

    def _failed(self, error: BaseException) -> None:
        if not self._ended:
            self._furnishing.on_failure(self, error)
