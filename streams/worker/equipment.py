"""The equipment of an engine, and the outlets and workshop that are made of it for partitions and lanes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from features.users.state import UserState
from streams.broker.lease import no_lease
from streams.broker.letters import Letters
from streams.broker.publisher import Publisher
from streams.broker.throttling import Throttle
from streams.contract import CAPACITY, SCORES, changelog_name
from streams.inference.text_reader import TextReader
from streams.inference.title_reader import TitleReader
from streams.records.decoder import Decoder
from streams.records.observer import Observer
from streams.settings import Settings
from streams.telemetry.metrics import Metrics
from streams.telemetry.tally import Tally
from streams.worker.applying.future_times import FutureTimes
from streams.worker.publishing.committer import Outlets
from streams.worker.publishing.online_writer import OnlineWriter
from streams.worker.publishing.rounds import Rounds
from streams.worker.users.emitter import Emitter
from streams.worker.users.topics import UserTopics
from streams.worker.users.workshop import Workshop


@dataclass(frozen=True, kw_only=True)
class Equipment:
    """The parts that an engine works with, made before it.

    Attributes:
        letters: where records go that are refused.
        online: where rows go.
        reader: reads texts.
        titles: reads titles of items.
        emitter: computes what is published.
        tally, metrics: what is counted.
        throttle: shared by the producers of the assignments.
        clock: the wall clock, ms, by which quiet users become due.
        on_failure: told of the error that makes going on unsound.
    """

    letters: Letters
    online: OnlineWriter
    reader: TextReader
    titles: TitleReader
    emitter: Emitter
    tally: Tally
    metrics: Metrics
    throttle: Throttle
    clock: Callable[[], int]
    on_failure: Callable[[BaseException], None]

    def outlets(self, settings: Settings) -> Outlets[UserState]:
        """Return where users go; every assignment adds its own producer, lease and `on_failure`."""
        nobody = no_lease()
        return Outlets(
            changelog=changelog_name(settings),
            topics=UserTopics(settings),
            publisher=Publisher(settings, nobody),
            online=self.online,
            rounds=Rounds(self.emitter),
            published={SCORES: self.tally.scored, CAPACITY: lambda _, records: self.tally.estimated(records)},
            stored=self.tally.stored,
            lease=nobody,
            on_failure=self.on_failure,
        )

    def workshop(self, settings: Settings, observer: Observer, on_encoder: Callable[[object, bool], None]) -> Workshop:
        """Return what lanes work with; every assignment adds its own `on_failure` and `hold`.

        Args:
            settings: of the worker.
            observer: turns events into observations.
            on_encoder: told (lane, whether the encoder is down for it).
        """
        return Workshop(
            decoder=Decoder.of(settings),
            future=FutureTimes(self.clock, self.metrics),
            observer=observer,
            reader=self.reader,
            titles=self.titles,
            letters=self.letters,
            tally=self.tally,
            metrics=self.metrics,
            telling=False,
            slice_records=settings.lane_slice,
            waiting_titles=settings.waiting_titles,
            waiting_title_bytes=settings.waiting_title_bytes,
            hold=lambda _number, _first: None,
            on_encoder=on_encoder,
            on_failure=self.on_failure,
        )
