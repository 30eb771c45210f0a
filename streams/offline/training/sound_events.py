"""The sound events of files, from which a model learns what was bought or written."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from models.finetuning.titles.purchases import Line
from streams.exceptions import RefusedInputError
from streams.progress import Progress
from streams.records.decoder import Decoder
from streams.records.events import Click, Erasure, Event
from streams.records.judging import judge
from streams.records.refusals import Refusals, check_share
from streams.records.rejection import Rejection
from streams.settings import Settings
from streams.sources.options import SourceOptions
from streams.sources.places import Places
from streams.sources.reading import check_sources, packed_bytes, read_sources


class SoundEvents:
    """Reads events as a worker would decode them.

    Args:
        settings: of the deployment, such as its currency.
        options: how the files are read.

    Attributes:
        events: number of sound events of any kind, erasures not among them.
        refusals: of all others.
        places: of the refusals.
        erased: users with an erasure, of whom nothing may be learnt.
    """

    def __init__(self, settings: Settings, options: SourceOptions) -> None:
        self._decoder = Decoder.of(settings)
        self._options = options
        self.events = 0
        self.refusals = Refusals()
        self.places = Places()
        self.erased: set[str] = set()

    def read(self, files: Sequence[Path], report: Progress, max_refused: float) -> Iterator[Event]:
        """Yield the events of files.

        Args:
            files: of events.
            report: told of the bytes that were read.
            max_refused: the share of the lines that may be refused.

        Raises:
            ConfigurationError: a file cannot be read, or all of them are empty.
            RefusedInputError: too much is refused, or there is no event.
        """
        check_sources(files, self._options)
        of, done, now = packed_bytes(files), 0, int(time.time() * 1000)

        def progress(count: int) -> None:
            nonlocal done
            done += count
            report("bytes read", done, of)

        for arrived in read_sources(files, self._options, progress):
            at = now if arrived.kafka_timestamp is None else arrived.kafka_timestamp
            event = judge(self._decoder, arrived.record, at)
            if isinstance(event, Rejection):
                self.refusals.add(event.reason, event.detail, self.places.position(arrived))
            elif isinstance(event, Erasure):
                self.erased.add(event.user_id)
            else:
                self.events += 1
                yield event
        if not self.events:
            raise RefusedInputError("expected events, found none: a line is left out or the files are empty")
        check_share(self.refusals, self.events + self.refusals.total, max_refused)


def bought(events: Iterable[Event]) -> Iterator[Line]:
    """Yield the purchases that have a title."""
    for event in events:
        if isinstance(event, Click) and event.action == "purchase" and event.title:
            yield Line(event.user_id, event.order_id, event.title, event.timestamp)
