"""Checking files of events: what a worker would make of every line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from streams.contract import CLICKS
from streams.offline.linting.portrait import Portrait
from streams.records.decoder import Decoded, Decoder
from streams.records.events import Click, Erasure
from streams.records.judging import judge
from streams.records.ndjson import Record
from streams.records.refusals import Refusals
from streams.records.rejection import Rejection
from streams.records.shapes.auto import OWN
from streams.records.shapes.translated import Translated
from streams.sources.arrived import Arrived
from streams.sources.places import Places
from streams.sources.shape import MAX_LEFT_OUT, OTHER, Shaping

UNREADABLE: Final = "no line of events"
"""The source of what never reached a shape: a line that is too long, a row with a wrong number of cells."""


@dataclass(slots=True)
class Source:
    """What became of the lines of one source.

    Attributes:
        lines: number of its lines that are not left out.
        becomes: number of events, by topic and for clicks the action.
        refused: number of refusals.
    """

    lines: int = 0
    becomes: Counter[str] = field(default_factory=Counter)
    refused: int = 0


class Checking:
    """Takes what arrives from files.

    Args:
        decoder: of the deployment.
        shaping: through which the files are read.
        now_ms: the Kafka timestamp that records without one get, epoch ms.

    Attributes:
        sources: by name, at most `MAX_LEFT_OUT` and one for all others.
        portrait: of the sound events.
        refusals: of all others.
        places: of the refusals.
        lines: number of lines that became records or were refused.
        erasures: number of erasures.
    """

    def __init__(self, decoder: Decoder, shaping: Shaping, now_ms: int) -> None:
        self._decoder = decoder
        self._shaping = shaping
        self._now_ms = now_ms
        self._line: Translated | None = None
        self._expected = 0
        self.sources: dict[str, Source] = {}
        self.portrait = Portrait()
        self.refusals = Refusals()
        self.places = Places()
        self.lines = 0
        self.erasures = 0

    def take_all(self, arrivals: Iterable[Arrived]) -> None:
        """Take what arrives, to its end."""
        for arrived in arrivals:
            self._take(arrived)

    @property
    def events(self) -> int:
        """Number of sound events, erasures not among them."""
        return sum(source.becomes.total() for source in self.sources.values()) - self.erasures

    def _take(self, arrived: Arrived) -> None:
        record = arrived.record
        at = self._now_ms if arrived.kafka_timestamp is None else arrived.kafka_timestamp
        verdict = judge(self._decoder, record, at)
        source = self._source(arrived)
        if isinstance(verdict, Rejection):
            source.refused += 1
            self.refusals.add(verdict.reason, verdict.detail, self.places.position(arrived))
            return
        source.becomes[became(record.topic, verdict)] += 1
        if isinstance(verdict, Erasure):
            self.erasures += 1
        elif isinstance(record, Record):
            self.portrait.take(verdict, self.places.position(arrived))

    def _source(self, arrived: Arrived) -> Source:
        latest = self._shaping.latest
        if latest is not self._line:
            self._line, self._expected = latest, len(latest.records) if latest is not None else 0
            begins = True
        else:
            # Files are read a line at a time, so what comes beyond the records of a line is no line's.
            begins = not self._expected
        if latest is None or not self._expected:
            name = UNREADABLE
        else:
            name = f"{OWN} {arrived.record.topic}".strip() if latest.source == OWN else latest.source
            self._expected -= 1
        if name not in self.sources and len(self.sources) >= MAX_LEFT_OUT:
            name = OTHER
        source = self.sources.setdefault(name, Source())
        if begins:
            source.lines += 1
            self.lines += 1
        return source


def became(topic: str, event: Decoded) -> str:
    """Return what an event is in the contract: its topic, and for a click the action."""
    return f"{CLICKS} {event.action.value}" if isinstance(event, Click) else topic
