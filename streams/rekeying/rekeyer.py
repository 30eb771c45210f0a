"""The rekeyer: what a process translates and sends with, and the assignment it has now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, Protocol

from aiokafka import TopicPartition

from streams.broker.lease import Lease, LeaseLostError, no_lease
from streams.broker.letters import Letters
from streams.broker.publisher import Publisher
from streams.broker.throttling import Throttle
from streams.contract import DEAD_LETTERS, topic_name
from streams.exceptions import RefusedInputError
from streams.log import log
from streams.rekeying.assignment import Assignment
from streams.rekeying.beginning import Beginnings
from streams.rekeying.gate import FIRST_S, Gate
from streams.rekeying.lane import Bench
from streams.rekeying.sending import Outlets
from streams.rekeying.sources import count_sources
from streams.rekeying.translating import Translator
from streams.rekeying.watched_values import Values
from streams.settings import Settings
from streams.tasks import Tasks
from streams.telemetry.rekey_metrics import RekeyMetrics

NEVER: Final = -1
"""The serial number of no assignment."""


class Member(Protocol):
    """This process as a member of its group."""

    def assigned(self) -> Collection[TopicPartition]:
        """Return the partitions that it has now."""

    async def committed(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Return the committed offsets of those partitions that have one."""

    async def begin_at(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit first positions of partitions that nothing was taken in of yet, and go to those that it has."""

    async def commit(self) -> None:
        """Commit what is acknowledged by now."""

    def rejoin(self) -> None:
        """Leave the partitions and join the group again."""


class Rekeyer:
    """Translates and sends batches, under one assignment after the other.

    Args:
        settings: with the number of partitions of the inputs filled in.
        member: this process in its group.
        values: takes values to JSON.
        beginnings: finds where to begin.
        metrics: count what was done.
        throttle: waits out the broker's quotas.
        on_failure: told of the error that makes going on unsound.

    Attributes:
        assignment: the newest; one that has ended until the first begins.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        member: Member,
        values: Values,
        beginnings: Beginnings,
        metrics: RekeyMetrics,
        throttle: Throttle,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._settings = settings
        self._member = member
        self._values = values
        self._translator = Translator(settings)
        self._beginnings = beginnings
        self._metrics = metrics
        self._throttle = throttle
        self._on_failure = on_failure
        self._abandoning = Tasks("abandon", on_failure)
        self._committing = Tasks("commit", on_failure)
        self._acknowledged = asyncio.Event()
        self._gates: dict[str, Gate] = {}
        self._waiting: list[asyncio.TimerHandle] = []
        self._taking_over: asyncio.Task[None] | None = None
        self._closed = False
        self.assignment = Assignment(NEVER, no_lease())

    @property
    def held_back(self) -> list[str]:
        """The sources whose first records wait for a verdict."""
        return [topic for topic, gate in self._gates.items() if not gate.opened.is_set()]

    def submit(self, event: Any) -> None:
        """Take a batch of a source, as a Faust event."""
        self.assignment.submit(event)

    def start(self) -> None:
        """Commit from now on as soon as something is acknowledged.

        What a process that is killed has sent and not committed is sent again, and a worker recognises only the last
        128 events of a user.
        """
        self._committing.begin(self._commit())

    async def _commit(self) -> None:
        while True:
            await self._acknowledged.wait()
            self._acknowledged.clear()
            if self.assignment.accepting:
                await self._member.commit()

    async def begin(self, serial: int, _generation: int, lease: Lease) -> None:
        """Begin an assignment, and end the one before it."""
        await self.release()
        if not self._closed:
            self.assignment = Assignment(serial, lease)

    async def close(self) -> None:
        """Let the partitions go for good: an assignment that comes while the process leaves is never taken over."""
        self._closed = True
        self._committing.cancel()
        await self.release()

    async def release(self) -> None:
        """Wait for what is sent, as far as there is time, and let the partitions go."""
        if self._taking_over is not None:
            self._taking_over.cancel()
        for timer in self._waiting:
            timer.cancel()
        self._waiting.clear()
        await self.assignment.end()
        # The first records of these are delivered again, here or elsewhere, and are judged anew.
        self._gates = {topic: gate for topic, gate in self._gates.items() if gate.opened.is_set()}

    async def take_over(self, serial: int) -> bool:
        """Find where to begin in the partitions of an assignment, and accept batches of them.

        Returns:
            Whether batches may be delivered; not if a rebalance has begun since.

        Raises:
            LostInputError: records were deleted before they were read.
            StateMismatchError: a source was made anew.
            BrokerError, KafkaError: the broker cannot be used.
        """
        assignment = self.assignment
        if assignment.serial != serial or assignment.ended:
            return False
        step = self._taking_over = asyncio.create_task(self._open(assignment), name=f"take-over-{serial}")
        try:
            await asyncio.wait({step})
        finally:
            step.cancel()
        if step.cancelled() or assignment.ended:
            if not step.cancelled():
                # Retrieved, or the event loop would log it: nobody waits for the result of this step.
                step.exception()
            return False
        step.result()
        return True

    async def _open(self, assignment: Assignment) -> None:
        settings, member = self._settings, self._member
        assigned = member.assigned()
        topics = {tp.topic for tp in assigned}
        counts = await count_sources(settings)
        every = {TopicPartition(topic, number) for topic in topics for number in range(counts[topic])} | set(assigned)
        committed = await member.committed(every)
        if committed and not committed.keys() >= set(assigned):
            # Another process may have committed first positions while this one asked, of one after the other.
            committed = await member.committed(every)
        await member.begin_at(await self._beginnings.starts(assigned, every, committed))
        publisher = Publisher(settings, assignment.lease, throttle=self._throttle)
        await publisher.start()
        if assignment.ended:
            await publisher.abandon()
            return
        letters = Letters(publisher, topic_name(settings, DEAD_LETTERS), self._metrics)
        bench = Bench(
            self._values,
            self._translator,
            Outlets(settings, publisher, letters, self._metrics, self._acknowledged.set),
            settings.lane_slice,
            lambda error: self._failed(assignment, error),
        )
        assignment.open(publisher, bench, self._gate_of)

    def _gate_of(self, topic: str) -> Gate:
        gate = self._gates.get(topic)
        if gate is None:
            gate = self._gates[topic] = Gate(topic, self._settings.rekey_max_refused)
            self._expire_later(gate)
        return gate

    def _expire_later(self, gate: Gate) -> None:
        self._waiting.append(asyncio.get_running_loop().call_later(FIRST_S, self._expire, gate))

    def _expire(self, gate: Gate) -> None:
        if not gate.judged and not gate.opened.is_set():
            # The first values wait for the schema registry.
            self._expire_later(gate)
            return
        try:
            gate.expire()
        except RefusedInputError as error:
            self._on_failure(error)

    def _failed(self, assignment: Assignment, error: BaseException) -> None:
        """Drop everything and rejoin where the partitions were lost; end the process for any other reason."""
        if assignment.ended:
            return
        if not isinstance(error, LeaseLostError):
            self._on_failure(error)
        elif assignment is self.assignment and assignment.accepting:
            log.warning("partitions lost, rejoining", error=str(error))
            assignment.accepting = False
            self._abandoning.begin(self._abandon())

    async def _abandon(self) -> None:
        await self.release()
        self._member.rejoin()
