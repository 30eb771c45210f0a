"""The engine: the lanes and partitions of a worker, made as batches arrive and let go when partitions move."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from aiokafka import TopicPartition

from features.state import UserState
from streams.binding import check_logs
from streams.committer import Outlets
from streams.decay import Decay
from streams.decoding import Decoder
from streams.emission import AsOf, Emitter
from streams.inference import Inference
from streams.kafka import DEAD_LETTERS, SCORES, changelog_name, topic_name
from streams.lane import Lane, Workshop
from streams.lease import Lease, LeaseLostError
from streams.log import log
from streams.metrics import Metrics
from streams.observe import Observer
from streams.online import OnlineWriter
from streams.partition import Partition
from streams.publisher import Publisher
from streams.reading import TextReader
from streams.rounds import Rounds
from streams.scoring import Scoring
from streams.settings import MAX_RECORD_BYTES, Settings, WindowEdge
from streams.table import Progress, UserTable
from streams.tally import Tally

DRAIN_S: Final = 5.0
"""How long partitions that move away may take to settle; what is not settled is delivered again."""

RECOVERY_NEWS_S: Final = 5.0
"""How often a recovery says in the log how far it is."""


class Engine:
    """Applies batches of events and publishes what comes of them.

    Args:
        settings: of the worker.
        inference: models.
        publisher, online: where users go.
        tally, metrics: what is counted.
        lease: on the partitions.
        as_of: the as-of instant of the features.
        clock: the wall clock, ms, by which quiet users become due.
        on_failure: told of the error that makes going on unsound.
    """

    def __init__(
        self,
        settings: Settings,
        inference: Inference,
        publisher: Publisher,
        online: OnlineWriter,
        tally: Tally,
        metrics: Metrics,
        lease: Lease,
        as_of: AsOf,
        clock: Callable[[], int],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._settings = settings
        self._on_failure = on_failure
        self._lease = lease
        # Until the state is recovered, and again once partitions are let go: what is still delivered then would be
        # applied after a gap, and the offset fence would take the gap's events for applied.
        self._accepting = False
        self._recovered = 0
        self._told_at = float("-inf")
        self._encoder = inference.encoder
        self._forget = inference.batcher.forget
        self._metrics = metrics
        self.reader = TextReader(inference.batcher, inference.projection)
        self.emitter = Emitter(inference, as_of)
        self._outlets = Outlets(
            changelog=changelog_name(settings),
            scores=topic_name(settings, SCORES),
            publisher=publisher,
            online=online,
            rounds=Rounds(self.emitter),
            tally=tally,
            lease=lease,
            on_failure=self._failed,
        )
        self._observer = Observer(inference.artefact.categories)
        self._workshop = Workshop(
            decoder=Decoder(
                currency=settings.currency,
                earliest_ms=settings.earliest_timestamp_ms,
                max_record_bytes=MAX_RECORD_BYTES,
            ),
            observer=self._observer,
            reader=self.reader,
            publisher=publisher,
            tally=tally,
            metrics=metrics,
            dead_letters=topic_name(settings, DEAD_LETTERS),
            slice_records=settings.lane_slice,
            on_encoder=self._encoder_changed,
            on_failure=self._failed,
        )
        self._waiting_for_encoder: set[Lane] = set()
        self._lanes: dict[tuple[str, int], Lane] = {}
        self._clock = clock
        self.decays: dict[int, Decay] = {}
        self._abandoning: asyncio.Task[None] | None = None
        self.partitions: dict[int, Partition] = {}
        self.on_released: Callable[[], None] = lambda: None
        """Told that partitions are let go: erasures of their users are not heard of any more."""
        self.table: UserTable
        self.rejoin: Callable[[], None]
        """Asks the consumer to leave its partitions and join the group again."""

    def submit(self, topic: str, event: Any) -> None:
        """Take a batch of a topic of the contract, as a Faust event."""
        if not self._accepting:
            return
        number = event.message.partition
        lane = self._lanes.get((topic, number))
        if lane is None:
            lane = self._lanes[topic, number] = Lane(topic, self.partition(number), self._workshop)
        lane.submit(event)

    def partition(self, number: int) -> Partition:
        """Return an assigned partition, recovered before."""
        partition = self.partitions.get(number)
        if partition is None:
            partition = self.partitions[number] = Partition(
                number,
                self.table.states,
                self._outlets,
                encoder=self._encoder,
                cached_users=max(1000, self._settings.cached_users // self._settings.partitions),
                partitions=self._settings.partitions,
            )
            partition.on_erased = self._forget
            if self._settings.window_edge is WindowEdge.CLOCK:
                self.decays[number] = Decay(partition, self._clock, self._failed)
                self.decays[number].start()
        return partition

    def swap(self, scoring: Scoring) -> None:
        """Score with another artefact from the next micro-batch on, and count its categories from the next event on."""
        self.emitter.scoring = scoring
        self._observer.use(scoring.artefact.categories)

    def serving(self) -> bool:
        """Return whether partitions are assigned, and none of them is on its way out."""
        return self._accepting and bool(self.partitions)

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
        if not self._accepting:
            self._recovered += states
            if time.monotonic() - self._told_at > RECOVERY_NEWS_S:
                self._told_at = time.monotonic()
                log.info("recovering the state from the changelog", states=self._recovered)

    async def recovered(self, numbers: Collection[int], committed: Mapping[TopicPartition, int]) -> None:
        """Take over partitions whose state is recovered.

        Raises:
            StateMismatchError: the state speaks of another log.
        """
        states = self.table.states
        await check_logs(self._settings, {number: states.progress(number) for number in numbers}, committed)
        for number in numbers:
            self.partition(number)
        log.info("state is recovered", partitions=len(numbers), states=self._recovered)
        self._recovered = 0
        self._accepting = True

    async def release(self, numbers: Collection[int]) -> None:
        """Settle what is applied in these partitions, within `DRAIN_S`, and let them go."""
        self._accepting = False
        lanes = {key: lane for key, lane in self._lanes.items() if key[1] in numbers}
        for key, lane in lanes.items():
            del self._lanes[key]
            lane.close()
            self._encoder_changed(lane, False)
        try:
            patience = 0 if self._lease.expired else DRAIN_S
            await asyncio.wait_for(asyncio.gather(*(lane.drain() for lane in lanes.values())), patience)
        except TimeoutError:
            log.warning("partitions left unsettled, their last events will be delivered again", partitions=len(numbers))
        for lane in lanes.values():
            lane.stop()
        for number in numbers:
            if number in self.decays:
                self.decays.pop(number).stop()
            partition = self.partitions.pop(number, None)
            if partition is not None:
                await partition.committer.stop()
        self.on_released()

    async def settle(self) -> None:
        """Wait until everything touched in any partition is durable and published."""
        await asyncio.gather(*(partition.committer.settled() for partition in self.partitions.values()))

    def _failed(self, error: BaseException) -> None:
        """Drop everything and rejoin where the partitions were lost; end the worker for any other reason."""
        if not isinstance(error, LeaseLostError):
            self._on_failure(error)
        elif self._accepting:
            log.warning("partitions lost, rejoining", error=str(error))
            self._accepting = False
            self._abandoning = asyncio.create_task(self._abandon())

    async def _abandon(self) -> None:
        await self.release(list(self.partitions))
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
