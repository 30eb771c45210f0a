"""What the users' stage works with: the parts that are made once, and what each assignment makes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from features.users.state import UserState
from streams.broker.letters import Letters
from streams.broker.throttling import Throttle
from streams.contract import CAPACITY, FACTS, SCORES, changelog_name, topic_name
from streams.inference.loading import Inference
from streams.inference.text_reader import TextReader
from streams.inference.title_reader import TitleReader
from streams.records.decoder import Decoder
from streams.records.observer import Observer
from streams.settings import Settings
from streams.telemetry.metrics import Metrics
from streams.telemetry.tally import Tally
from streams.worker.applying.future_times import FutureTimes
from streams.worker.applying.lane import Lane
from streams.worker.applying.tenure import Terms
from streams.worker.publishing.committer import Outlets
from streams.worker.publishing.online_writer import OnlineWriter
from streams.worker.publishing.rounds import Rounds
from streams.worker.state.local_store import LocalStore
from streams.worker.users.emitter import Emitter
from streams.worker.users.event_handler import EventHandler
from streams.worker.users.fact_sender import FactSender
from streams.worker.users.topics import UserTopics
from streams.worker.users.user_partition import UserPartition
from streams.worker.users.workshop import Workshop


@dataclass(frozen=True, kw_only=True)
class UserEquipment:
    """The parts that the users' stage works with, made before its engine.

    Attributes:
        settings: of the worker.
        inference: the models.
        letters: where records go that are refused.
        online: where rows go.
        reader: reads texts.
        titles: reads titles of items.
        emitter: computes what is published.
        tally, metrics: what is counted.
        throttle: shared by the producers of the assignments.
        clock: the wall clock, ms, by which quiet users become due.
        observer: turns events into observations.
        future: looks for times ahead of the clock.
        rounds: where the groups of all partitions meet.
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
    observer: Observer = field(init=False)
    future: FutureTimes = field(init=False)
    rounds: Rounds[UserState] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "observer", Observer(self.inference.artefact.categories))
        object.__setattr__(self, "future", FutureTimes(self.clock, self.metrics))
        object.__setattr__(self, "rounds", Rounds(self.emitter))

    def begin(self, terms: Terms) -> UserTenure:
        """Return what works under a new assignment."""
        return UserTenure(self, terms)


class UserTenure:
    """What the users' stage works with under one assignment.

    Args:
        equipment: of the stage.
        terms: of the assignment.
    """

    def __init__(self, equipment: UserEquipment, terms: Terms) -> None:
        self._equipment = equipment
        self._on_failure = terms.on_failure
        self._outlets = _outlets(equipment, terms)
        self._workshop = _workshop(equipment, terms)
        self._partitions: dict[int, UserPartition] = {}

    def partition(
        self,
        number: int,
        epoch: int,
        states: LocalStore,
        *,
        first: int,
        cached: Callable[[], int],
        on_applied: Callable[[str, int], None] | None,
    ) -> UserPartition:
        """Return a partition that is taken over, whose clicks are delivered from the offset `first` on."""
        inference = self._equipment.inference
        partition = self._partitions[number] = UserPartition(
            number,
            epoch,
            states,
            self._outlets,
            encoder=inference.encoder,
            cached=cached,
            clicks_from=first,
            partitions=self._equipment.settings.partitions,
            on_erased=inference.batcher.forget,
            on_applied=on_applied,
        )
        return partition

    def lane(self, topic: str, number: int) -> Lane:
        """Return the lane of a topic of the contract, of a partition that is taken over."""
        partition = self._partitions[number]
        handler = EventHandler(topic, partition, self._workshop)
        return Lane(f"{topic}-{number}", handler, partition.settled, self._on_failure)


def _outlets(equipment: UserEquipment, terms: Terms) -> Outlets[UserState]:
    settings, tally, head = equipment.settings, equipment.tally, equipment.inference.sentiment
    facts = None
    if settings.items:
        identity = "" if head is None else head.identity
        topic = topic_name(settings, FACTS)
        facts = FactSender(topic, settings.partitions, identity, terms.publisher, tally.sent_facts)
    return Outlets(
        changelog=changelog_name(settings),
        topics=UserTopics(settings),
        publisher=terms.publisher,
        online=equipment.online,
        rounds=equipment.rounds,
        published={SCORES: tally.scored, CAPACITY: lambda _, records: tally.estimated(records)},
        stored=tally.stored,
        lease=terms.lease,
        on_failure=terms.on_failure,
        facts=facts,
    )


def _workshop(equipment: UserEquipment, terms: Terms) -> Workshop:
    settings = equipment.settings
    return Workshop(
        decoder=Decoder.of(settings),
        future=equipment.future,
        observer=equipment.observer,
        reader=equipment.reader,
        titles=equipment.titles,
        letters=equipment.letters,
        tally=equipment.tally,
        metrics=equipment.metrics,
        telling=settings.items,
        slice_records=settings.lane_slice,
        waiting_titles=settings.waiting_titles,
        waiting_title_bytes=settings.waiting_title_bytes,
        hold=terms.hold,
        on_encoder=terms.on_encoder,
        on_failure=terms.on_failure,
    )
