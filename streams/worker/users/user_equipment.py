"""The equipment of the stage of users, and what it makes for their partitions and lanes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from features.users.state import UserState
from streams.broker.lease import Lease
from streams.broker.letters import Letters
from streams.broker.publisher import Publisher
from streams.broker.throttling import Throttle
from streams.contract import CAPACITY, CLICKS, FACTS, SCORES, changelog_name, topic_name
from streams.inference.active_capacity import Estimating
from streams.inference.active_scorer import Scoring
from streams.inference.loading import Inference
from streams.inference.text_reader import TextReader
from streams.inference.title_reader import TitleReader
from streams.records.decoder import Decoder
from streams.records.observer import Observer
from streams.settings import Settings
from streams.telemetry.metrics import Metrics
from streams.telemetry.tally import Tally
from streams.worker.applying.lane import Handler
from streams.worker.applying.partition import Partition
from streams.worker.publishing.committer import Outlets
from streams.worker.publishing.online_writer import OnlineWriter
from streams.worker.publishing.rounds import Rounds
from streams.worker.state.local_store import LocalStore
from streams.worker.users.emitter import Emitter
from streams.worker.users.event_handler import EventHandler
from streams.worker.users.fact_sender import FactSender
from streams.worker.users.future_times import FutureTimes
from streams.worker.users.topics import UserTopics
from streams.worker.users.user_partition import UserPartition
from streams.worker.users.workshop import Workshop


@dataclass(kw_only=True)
class UserEquipment:
    """The parts that the engine of users works with (see `streams.worker.equipment`).

    Attributes:
        settings: of the stage.
        inference: the models.
        letters: where records go that are refused.
        online: where rows go.
        reader: reads texts.
        titles: reads titles of items.
        emitter: computes what is published.
        tally, metrics: what is counted.
        throttle: shared by the producers of the assignments.
        clock: the wall clock, ms, by which quiet users become due.
    """

    settings: Settings
    inference: Inference
    letters: Letters
    online: OnlineWriter
    reader: TextReader
    titles: TitleReader
    emitter: Emitter
    tally: Tally
    metrics: Metrics
    throttle: Throttle
    clock: Callable[[], int]
    _waiting_for_encoder: set[object] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._observer = Observer(self.inference.artefact.categories)
        self._rounds = Rounds[UserState](self.emitter)
        self._future = FutureTimes(self.clock, self.metrics)
        self._decoder = Decoder.of(self.settings)
        self._topics = UserTopics(self.settings)

    @property
    def cached(self) -> int:
        """Live states kept decoded, in all partitions together."""
        return self.settings.cached_users

    @property
    def encoder_down(self) -> bool:
        """Whether texts or titles wait for an encoder that does not work."""
        return self.emitter.encoder_down

    def swap(self, scoring: Scoring) -> None:
        """Score with another artefact from the next micro-batch on, and count its categories from the next event on."""
        self.emitter.scoring = scoring
        self._observer.use(scoring.artefact.categories)

    def swap_capacity(self, estimating: Estimating) -> None:
        """Estimate capacity with another artefact from the next micro-batch on."""
        self.emitter.estimating = estimating

    def outlets(
        self, publisher: Publisher, lease: Lease, on_failure: Callable[[BaseException], None]
    ) -> Outlets[UserState]:
        """Return where the users of an assignment go."""
        settings, tally = self.settings, self.tally
        facts = None
        if settings.items:
            head = "" if self.inference.sentiment is None else self.inference.sentiment.identity
            facts = FactSender(topic_name(settings, FACTS), settings.partitions, head, publisher, tally.sent_facts)
        return Outlets(
            changelog=changelog_name(settings),
            topics=self._topics,
            publisher=publisher,
            online=self.online,
            rounds=self._rounds,
            published={SCORES: tally.scored, CAPACITY: lambda _, records: tally.estimated(records)},
            stored=tally.stored,
            lease=lease,
            on_failure=on_failure,
            facts=facts,
        )

    def partition(
        self,
        number: int,
        epoch: int,
        states: LocalStore,
        outlets: Outlets[Any],
        *,
        cached: Callable[[], int],
        begins: Mapping[str, int],
        on_applied: Callable[[str, int], None] | None,
    ) -> UserPartition:
        """Return the users of a partition that is taken over."""
        return UserPartition(
            number,
            epoch,
            states,
            outlets,
            encoder=self.inference.encoder,
            cached=cached,
            clicks_from=begins[CLICKS],
            partitions=self.settings.partitions,
            on_erased=self.inference.batcher.forget,
            on_applied=on_applied,
        )

    def handler(
        self,
        topic: str,
        partition: Partition[Any],
        hold: Callable[[int, int | None], None],
        on_failure: Callable[[BaseException], None],
    ) -> Handler:
        """Return what handles the events, or the erasures, of a partition."""
        if not isinstance(partition, UserPartition):
            raise TypeError(f"expected a partition of users, found one of {partition.entity.name}s")
        settings = self.settings
        workshop = Workshop(
            decoder=self._decoder,
            future=self._future,
            observer=self._observer,
            reader=self.reader,
            titles=self.titles,
            letters=self.letters,
            tally=self.tally,
            metrics=self.metrics,
            telling=settings.items,
            slice_records=settings.lane_slice,
            waiting_titles=settings.waiting_titles,
            waiting_title_bytes=settings.waiting_title_bytes,
            hold=hold,
            on_encoder=self._encoder_changed,
            on_failure=on_failure,
        )
        return EventHandler(topic, partition, workshop)

    def _encoder_changed(self, lane: object, down: bool) -> None:
        (self._waiting_for_encoder.add if down else self._waiting_for_encoder.discard)(lane)
        self.emitter.encoder_down = bool(self._waiting_for_encoder)
        self.metrics.degraded.set(1 if self.emitter.degraded else 0)
