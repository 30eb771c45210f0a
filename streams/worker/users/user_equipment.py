"""The equipment of the stage of users, and what it makes for their partitions and lanes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from features.users.state import UserState
from streams.broker.lease import Lease
from streams.broker.publisher import Publisher
from streams.contract import CAPACITY, CLICKS, FACTS, SCORES, changelog_name, topic_name
from streams.inference.active_capacity import Estimating
from streams.inference.active_scorer import Scoring
from streams.inference.loading import Inference
from streams.inference.text_reader import TextReader
from streams.records.decoder import Decoder
from streams.records.observer import Observer
from streams.worker.applying.lane import Handler
from streams.worker.applying.partition import Partition
from streams.worker.equipment import Equipment, Failing, Hold, TakeOver
from streams.worker.publishing.outlets import Outlets
from streams.worker.publishing.rounds import Rounds
from streams.worker.users.emitter import Emitter
from streams.worker.users.event_handler import EventHandler
from streams.worker.users.fact_sender import FactSender
from streams.worker.users.future_times import FutureTimes
from streams.worker.users.topics import UserTopics
from streams.worker.users.user_partition import UserPartition
from streams.worker.users.workshop import Workshop


@dataclass(kw_only=True)
class UserEquipment(Equipment):
    """The parts that the engine of users works with.

    Attributes:
        inference: the models.
        reader: reads texts.
        emitter: computes rows, scores and estimates.
    """

    inference: Inference
    reader: TextReader
    emitter: Emitter

    def __post_init__(self) -> None:
        self._observer = Observer(self.inference.artefact.categories)
        self._rounds = Rounds[UserState](self.emitter)
        self._future = FutureTimes(self.clock, self.metrics)
        self._decoder = Decoder.of(self.settings)
        self._topics = UserTopics(self.settings)

    def swap(self, scoring: Scoring) -> None:
        """Score with another artefact from the next micro-batch on, and count its categories from the next event on."""
        self.emitter.scoring = scoring
        self._observer.use(scoring.artefact.categories)

    def swap_capacity(self, estimating: Estimating) -> None:
        """Estimate capacity with another artefact from the next micro-batch on."""
        self.emitter.estimating = estimating

    def outlets(self, publisher: Publisher, lease: Lease, on_failure: Failing) -> Outlets[UserState]:
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

    def partition(self, taken: TakeOver) -> UserPartition:
        """Return the users of a partition that is taken over."""
        return UserPartition(
            taken.number,
            taken.epoch,
            taken.states,
            taken.outlets,
            encoder=self.inference.encoder,
            cached=taken.cached,
            clicks_from=taken.begins[CLICKS],
            partitions=self.settings.partitions,
            on_erased=self.inference.batcher.forget,
            on_applied=taken.on_applied,
        )

    def handler(self, topic: str, partition: Partition[Any], hold: Hold, on_failure: Failing) -> Handler:
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
            on_encoder=self.encoder_changed,
            on_failure=on_failure,
        )
        return EventHandler(topic, partition, workshop)

    def encoder_changed(self, lane: object, down: bool) -> None:
        """Take note of it, and tell whether scores come from behaviour alone."""
        super().encoder_changed(lane, down)
        self.metrics.degraded.set(1 if self.emitter.degraded else 0)
