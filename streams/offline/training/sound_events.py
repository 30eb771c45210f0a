"""The sound events of files, from which a model learns what was bought or written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from models.finetuning.titles.purchases import Line
from streams.exceptions import RefusedInputError
from streams.progress import Progress
from streams.records.decoder import Decoder
from streams.records.events import Click, Erasure, Event
from streams.records.refusals import Refusals, check_share
from streams.settings import Settings
from streams.sources.judged import judged
from streams.sources.options import SourceOptions
from streams.sources.places import Places


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
        for event, _ in judged(self._decoder, files, self._options, report, self.refusals, self.places):
            if isinstance(event, Erasure):
                self.erased.add(event.user_id)
            else:
                self.events += 1
                yield event
        check_share(self.refusals, self.events + self.refusals.total, max_refused)
        if not self.events:
            raise RefusedInputError("expected events, found none: a line is left out or the files are empty")


def bought(events: Iterable[Event]) -> Iterator[Line]:
    """Yield the purchases that have a title."""
    for event in events:
        if isinstance(event, Click) and event.action == "purchase" and event.title:
            yield Line(event.user_id, event.order_id, event.title, event.timestamp)
