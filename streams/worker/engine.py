"""The engine of a stage: what it applies records and publishes keys with, and the assignment it has now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, Generic, Protocol, TypeVar

from aiokafka import TopicPartition

from streams.broker.lease import Lease, LeaseLostError, no_lease
from streams.broker.publisher import Publisher
from streams.broker.topics.log_ends import high_watermarks
from streams.contract import topic_name
from streams.log import log
from streams.settings import Settings, WindowEdge
from streams.tasks import Tasks
from streams.worker.applying.held_partitions import HeldPartitions
from streams.worker.assignment import Assignment, Furnishing, Superseded
from streams.worker.consuming.losses import Losses
from streams.worker.equipment import Equipment
from streams.worker.republishing.recovered_erasures import RecoveredErasures
from streams.worker.republishing.refilling import Refiller
from streams.worker.republishing.resetting import Resetter
from streams.worker.republishing.strays import Strays
from streams.worker.stage_spec import StageSpec
from streams.worker.state.binding import check_logs
from streams.worker.state.local_store import LocalStore
from streams.worker.state.recovery_news import RecoveryNews

NEVER: Final = -1
"""The serial number, and the generation, of no assignment."""

E = TypeVar("E", bound=Equipment)


class Member(Protocol):
    """This worker as a member of its group, and what it has recovered."""

    @property
    def states(self) -> LocalStore:
        """The local store."""

    async def committed(self, numbers: Collection[int]) -> Mapping[TopicPartition, int]:
        """Return the committed offsets of the inputs of these partitions, of those that have one."""

    async def begin_at(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit first positions of partitions that nothing was taken in of yet, and go there."""

    def hold(self, serial: int, number: int, first: int | None) -> None:
        """Commit clicks of a partition no further than the first whose title waits; None where none waits."""

    def rejoin(self) -> None:
        """Leave the partitions and join the group again."""


class Engine(Generic[E]):
    """Applies batches of records and publishes what comes of them, under one assignment after the other.

    It may join its group before its models are loaded. Partitions are not taken over until it is equipped.

    Args:
        settings: of the stage.
        spec: of the stage.
        member: this worker in its group.
        held: holds the partitions that are taken over, for everything that looks at them from outside.
        losses: finds input that was deleted before it was taken in.
        erasures: publishes the erased that a recovery meets.
        resetter: looks for records ahead of the clock.
        refiller: looks for rows that the online store lacks.
        news: told when a recovery begins and ends.
        on_released: told that partitions are let go.
        on_failure: told of the error that makes going on unsound.

    Attributes:
        assignment: the newest; one that has ended until the first begins.
        held: see above.
        partitions: those of `held`.
        refiller: see above.
        equipment: once there is one.
    """

    equipment: E

    def __init__(
        self,
        settings: Settings,
        spec: StageSpec,
        *,
        member: Member,
        held: HeldPartitions[Any],
        losses: Losses,
        erasures: RecoveredErasures,
        resetter: Resetter,
        refiller: Refiller,
        news: RecoveryNews,
        on_released: Callable[[], None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._settings = settings
        self._spec = spec
        self._equipped = asyncio.Event()
        self._member = member
        self.held = held
        self.partitions = held.partitions
        self._losses = losses
        self._erasures = erasures
        self._resetter = resetter
        self.refiller = refiller
        self._news = news
        self._on_released = on_released
        self._on_failure = on_failure
        self._abandoning = Tasks("abandon", on_failure)
        self._closed = False
        self._epochs: dict[int, int] = {}
        self.assignment = Assignment(NEVER, NEVER, no_lease())

    def equip(self, equipment: E) -> None:
        """Give it what it works with, once: from now on partitions are taken over."""
        self.equipment = equipment
        self._equipped.set()

    @property
    def equipped(self) -> bool:
        """Whether it has what it works with."""
        return self._equipped.is_set()

    def submit(self, topic: str, event: Any) -> None:
        """Take a batch of a topic of the contract, as a Faust event."""
        self.assignment.submit(topic, event)

    async def begin(self, serial: int, generation: int, lease: Lease) -> None:
        """Begin an assignment (see `Assignment`), and end the one before it."""
        await self.release()
        self._news.begin()
        if not self._closed:
            self.assignment = Assignment(serial, generation, lease)

    async def close(self) -> None:
        """Let the partitions go for good: an assignment that comes while a worker leaves is never taken over."""
        self._closed = True
        await self.release()

    async def take_over(self, serial: int, numbers: Collection[int]) -> bool:
        """Take over partitions whose state is recovered, as soon as there are models to serve them with.

        Args:
            serial: of the assignment that they were recovered in.
            numbers: of the partitions.

        Returns:
            Whether events may be delivered; not if a rebalance has begun since.

        Raises:
            StateMismatchError: the state speaks of another log.
            LostInputError: input was deleted before it was taken in.
            BrokerError, KafkaError: the broker cannot be used.
        """
        assignment = self.assignment
        if assignment.serial != serial:
            return False
        try:
            await assignment.during(self._open(assignment, numbers))
        except Superseded:
            return False
        return True

    async def _open(self, assignment: Assignment, numbers: Collection[int]) -> None:
        await self._equipped.wait()
        states, member = self._member.states, self._member
        progress = {number: states.progress(number) for number in numbers}
        offsets = await member.committed(numbers)
        for number, first in (await check_logs(self._settings, self._spec, progress, offsets)).items():
            progress[number] = progress[number].onward(first, 0, [])
            states.write(number, {}, progress[number])
        applied = {number: known.applied for number, known in progress.items()}
        starts = await self._losses.starts(applied, offsets)
        await member.begin_at(starts)
        positions = {**offsets, **starts}
        begins = {
            number: {
                topic: positions.get(TopicPartition(topic_name(self._settings, topic), number), 0)
                for topic in self._spec.inputs
            }
            for number in numbers
        }
        outputs = [topic_name(self._settings, topic) for topic in self._spec.outputs(self._settings)]
        logs = [TopicPartition(output, number) for output in outputs for number in numbers]
        ends = dict(await high_watermarks(self._settings, logs))
        changelog = self._spec.changelog(self._settings)
        ends |= {TopicPartition(changelog, number): known.offset + 1 for number, known in progress.items()}
        await assignment.open(self._furnishing(), begins, ends)
        for number, known in progress.items():
            for key in known.outranked:
                assignment.partitions[number].rewrite(key.decode())
        self.held.hold(assignment.partitions, assignment.decays)
        for partition in assignment.partitions.values():
            self._erasures.hand_over(partition)
        self._news.end(len(numbers))
        self._resetter.begin()
        self.refiller.begin({number: tuple(first.values()) for number, first in begins.items()})

    def _furnishing(self) -> Furnishing:
        settings, equipment, changelog = self._settings, self.equipment, self._spec.changelog(self._settings)
        return Furnishing(
            states=self._member.states,
            epochs=self._epochs,
            equipment=equipment,
            clock=equipment.clock if settings.window_edge is WindowEdge.CLOCK else None,
            publisher=lambda lease, on_written: Publisher(settings, lease, on_written, equipment.throttle),
            strays=lambda partitions, on_failure: Strays(
                settings, changelog, partitions, equipment.metrics, on_failure
            ),
            hold=self._member.hold,
            on_failure=self._failed,
        )

    async def release(self) -> None:
        """Settle what is applied, as far as there is time, and let the partitions go."""
        self._resetter.stop()
        self.refiller.stop()
        self.held.let_go()
        await self.assignment.end()
        self._on_released()

    def _failed(self, assignment: Assignment, error: BaseException) -> None:
        """Drop everything and rejoin where the partitions were lost; end the worker for any other reason."""
        if not isinstance(error, LeaseLostError):
            self._on_failure(error)
        elif assignment is self.assignment and assignment.accepting:
            log.warning("partitions lost, rejoining", error=str(error))
            assignment.accepting = False
            self.held.let_go()
            self._abandoning.begin(self._abandon())

    async def _abandon(self) -> None:
        await self.release()
        self._member.rejoin()

    @property
    def encoder_down(self) -> bool:
        """Whether texts or titles wait for an encoder that does not work."""
        return self.equipped and self.equipment.encoder_down

    @property
    def clicks_paused(self) -> bool:
        """Whether clicks wait because as many of their titles do as may."""
        return self.assignment.paused
