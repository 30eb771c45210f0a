"""The engine: what a worker applies events and publishes users with, and the assignment it has now."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Final

from aiokafka import TopicPartition

from features.state import UserState
from streams.broker.lease import Lease, LeaseLostError, no_lease
from streams.broker.letters import Letters
from streams.broker.publisher import Publisher
from streams.broker.throttling import Throttle
from streams.broker.topics.log_ends import high_watermarks
from streams.contract import SCORES, changelog_name, topic_name
from streams.inference.active_scorer import Scoring
from streams.inference.loading import Inference
from streams.inference.text_reader import TextReader
from streams.log import log
from streams.records.decoder import Decoder
from streams.records.observer import Observer
from streams.settings import Settings, WindowEdge
from streams.tasks import Tasks
from streams.telemetry.metrics import Metrics
from streams.telemetry.tally import Tally
from streams.worker.applying.future_times import FutureTimes
from streams.worker.applying.lane import Lane, Workshop
from streams.worker.applying.partition import Partition
from streams.worker.applying.quiet_users import Decay
from streams.worker.assignment import Assignment, Furnishing, Superseded
from streams.worker.consuming.losses import Losses
from streams.worker.publishing.committer import Outlets
from streams.worker.publishing.emitter import AsOf, Emitter
from streams.worker.publishing.online_writer import OnlineWriter
from streams.worker.publishing.rounds import Rounds
from streams.worker.republishing.recovered_erasures import RecoveredErasures
from streams.worker.republishing.resetting import Resetter
from streams.worker.republishing.strays import Strays
from streams.worker.state.binding import check_logs
from streams.worker.state.local_store import Progress
from streams.worker.state.user_table import UserTable

RECOVERY_NEWS_S: Final = 5.0
"""How often a recovery says in the log how far it is."""

NEVER: Final = -1
"""The serial number, and the generation, of no assignment."""


class Engine:
    """Applies batches of events and publishes what comes of them, under one assignment after the other.

    Args:
        settings: of the worker.
        inference: models.
        letters: where records go that are refused.
        online: where rows go.
        tally, metrics: what is counted.
        throttle: shared by the producers of the assignments.
        as_of: the as-of instant of the features.
        clock: the wall clock, ms, by which quiet users become due.
        on_failure: told of the error that makes going on unsound.

    Attributes:
        assignment: the newest; one that has ended until the first begins.
        partitions: those taken over in it, by number; the same mapping for good.
        decays: the keepers of their quiet users.
        table: set before the first assignment.
    """

    def __init__(
        self,
        settings: Settings,
        inference: Inference,
        letters: Letters,
        online: OnlineWriter,
        tally: Tally,
        metrics: Metrics,
        throttle: Throttle,
        as_of: AsOf,
        clock: Callable[[], int],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._settings = settings
        self.losses = Losses(settings, metrics)
        self._on_failure = on_failure
        self._recovered = 0
        self._told_at = float("-inf")
        self._encoder = inference.encoder
        self._forget = inference.batcher.forget
        self._metrics = metrics
        self._throttle = throttle
        self._clock = clock
        self.reader = TextReader(inference.batcher, inference.projection)
        self.emitter = Emitter(inference, as_of)
        self._changelog, self._scores = changelog_name(settings), topic_name(settings, SCORES)
        nobody = no_lease()
        idle = Publisher(settings, nobody)
        self._outlets = Outlets(
            changelog=self._changelog,
            scores=self._scores,
            publisher=idle,
            online=online,
            rounds=Rounds(self.emitter),
            tally=tally,
            lease=nobody,
            on_failure=on_failure,
        )
        self._observer = Observer(inference.artefact.categories)
        self._workshop = Workshop(
            decoder=Decoder.of(settings),
            future=FutureTimes(clock, metrics),
            observer=self._observer,
            reader=self.reader,
            letters=letters,
            tally=tally,
            metrics=metrics,
            slice_records=settings.lane_slice,
            on_encoder=self._encoder_changed,
            on_failure=on_failure,
        )
        self._waiting_for_encoder: set[Lane] = set()
        self._abandoning = Tasks("abandon", on_failure)
        self._closed = False
        self.assignment = Assignment(NEVER, NEVER, nobody)
        self.partitions: dict[int, Partition] = {}
        self.erasures = RecoveredErasures(settings, lambda: self.partitions, on_failure)
        self.decays: dict[int, Decay] = {}
        self._resetter = Resetter(settings, self.partitions, clock, metrics, on_failure)
        self.on_released: Callable[[], None] = lambda: None
        """Told that partitions are let go: erasures of their users are not heard of any more."""
        self.table: UserTable
        self.rejoin: Callable[[], None]
        """Asks the consumer to leave its partitions and join the group again."""
        self.begin_at: Callable[[Mapping[TopicPartition, int]], Awaitable[None]]
        """Commits where partitions begin of which nothing was taken in yet."""

    def submit(self, topic: str, event: Any) -> None:
        """Take a batch of a topic of the contract, as a Faust event."""
        self.assignment.submit(topic, event)

    def swap(self, scoring: Scoring) -> None:
        """Score with another artefact from the next micro-batch on, and count its categories from the next event on."""
        self.emitter.scoring = scoring
        self._observer.use(scoring.artefact.categories)

    def serving(self) -> bool:
        """Return whether partitions are assigned, and none of them is on its way out."""
        return self.assignment.accepting and bool(self.partitions)

    def progress(self) -> dict[int, Progress]:
        """Return how far the local state of each assigned partition is."""
        return {number: partition.states.progress(number) for number, partition in self.partitions.items()}

    def find(self, user_id: str) -> UserState | None:
        """Return the state of a user of an assigned partition; None for one whom none of their stores has."""
        key = user_id.encode()
        for number, partition in self.partitions.items():
            if partition.states.read(number, key) is not None:
                return partition.state_of(user_id)
        return None

    def count_recovered(self, states: int) -> None:
        """Count states that were taken from the changelog."""
        self._metrics.recovered.inc(states)
        if not self.assignment.accepting:
            self._recovered += states
            if time.monotonic() - self._told_at > RECOVERY_NEWS_S:
                self._told_at = time.monotonic()
                log.info("recovering the state from the changelog", states=self._recovered)

    async def begin(self, serial: int, generation: int, lease: Lease) -> None:
        """Begin an assignment (see `Assignment`), and end the one before it."""
        await self.release()
        if not self._closed:
            self.assignment = Assignment(serial, generation, lease)

    async def close(self) -> None:
        """Let the partitions go for good: an assignment that comes while a worker leaves is never taken over."""
        self._closed = True
        await self.release()

    async def take_over(
        self,
        serial: int,
        numbers: Collection[int],
        committed: Callable[[Collection[int]], Awaitable[Mapping[TopicPartition, int]]],
    ) -> bool:
        """Take over partitions whose state is recovered.

        Args:
            serial: of the assignment that they were recovered in.
            numbers: of the partitions.
            committed: asked for the committed offsets of their inputs.

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
            await assignment.during(self._open(assignment, numbers, committed))
        except Superseded:
            return False
        return True

    async def _open(
        self,
        assignment: Assignment,
        numbers: Collection[int],
        committed: Callable[[Collection[int]], Awaitable[Mapping[TopicPartition, int]]],
    ) -> None:
        states = self.table.states
        progress = {number: states.progress(number) for number in numbers}
        offsets = await committed(numbers)
        for number, first in (await check_logs(self._settings, progress, offsets)).items():
            progress[number] = progress[number].onward(first, 0, [])
            states.write(number, {}, progress[number])
        await self.begin_at(await self.losses.starts({one: known.applied for one, known in progress.items()}, offsets))
        ends = dict(await high_watermarks(self._settings, [TopicPartition(self._scores, one) for one in numbers]))
        ends |= {TopicPartition(self._changelog, number): known.offset + 1 for number, known in progress.items()}
        await assignment.open(self._furnishing(), numbers, ends)
        for number, known in progress.items():
            for key in known.outranked:
                assignment.partitions[number].rewrite(key.decode())
        self.partitions.update(assignment.partitions)
        self.decays.update(assignment.decays)
        for partition in assignment.partitions.values():
            self.erasures.hand_over(partition)
        log.info("state is recovered", partitions=len(numbers), states=self._recovered)
        self._recovered = 0
        self._resetter.begin()

    def _furnishing(self) -> Furnishing:
        settings = self._settings
        return Furnishing(
            states=self.table.states,
            outlets=self._outlets,
            workshop=self._workshop,
            encoder=self._encoder,
            cached_users=settings.cached_users,
            metrics=self._metrics,
            count=settings.partitions,
            clock=self._clock if settings.window_edge is WindowEdge.CLOCK else None,
            publisher=lambda lease, on_written: Publisher(settings, lease, on_written, self._throttle),
            strays=lambda partitions, on_failure: Strays(
                settings, self._changelog, self._scores, partitions, self._metrics, on_failure
            ),
            on_erased=self._forget,
            on_encoder=self._encoder_changed,
            on_failure=self._failed,
        )

    async def release(self) -> None:
        """Settle what is applied, as far as there is time, and let the partitions go."""
        # Whoever looks at them from outside must not touch what is on its way out.
        self._resetter.stop()
        self.partitions.clear()
        self.decays.clear()
        await self.assignment.end()
        self.on_released()

    async def settle(self) -> None:
        """Wait until everything touched in any partition is durable and published."""
        await asyncio.gather(*(partition.committer.settled() for partition in self.partitions.values()))

    def _failed(self, assignment: Assignment, error: BaseException) -> None:
        """Drop everything and rejoin where the partitions were lost; end the worker for any other reason."""
        if not isinstance(error, LeaseLostError):
            self._on_failure(error)
        elif assignment is self.assignment and assignment.accepting:
            log.warning("partitions lost, rejoining", error=str(error))
            assignment.accepting = False
            self._abandoning.begin(self._abandon())

    async def _abandon(self) -> None:
        await self.release()
        self.rejoin()

    @property
    def encoder_down(self) -> bool:
        """Whether texts wait for the encoder."""
        return self.emitter.encoder_down

    def _encoder_changed(self, lane: Lane, down: bool) -> None:
        if down:
            self._waiting_for_encoder.add(lane)
        else:
            self._waiting_for_encoder.discard(lane)
        self.emitter.encoder_down = bool(self._waiting_for_encoder)
        self._metrics.degraded.set(1 if self.emitter.degraded else 0)
