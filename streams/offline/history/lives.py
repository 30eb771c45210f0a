"""One life of a user, from first seen to an erasure or the end of the history: what arrived in it, and what counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from features.observation import Observation
from features.users.point_in_time import Folded, UserHistory
from streams.records.events import Event
from streams.records.observer import Observer, Reading
from streams.records.refusals import Position

ReadingOf = Callable[[Event], Reading | None]
"""What was read of the text or title of an event; None where the encoder refuses its text."""


class Recorded(NamedTuple):
    """An event, the position of its line, and the Kafka timestamp of its record, ms."""

    event: Event
    position: Position
    record_time: int


class Applied(NamedTuple):
    """An event that a user's state applied, or could have.

    Attributes:
        event: the event.
        seen: what the state applies of it.
        record_time: the Kafka timestamp of its record, ms.
        reading: of its text or title.
    """

    event: Event
    seen: Observation
    record_time: int
    reading: Reading


class Life:
    """Folds a life.

    Args:
        events: in the order of arrival.
        erased_at: events up to this time (ms) are refused; None for the first life.
        reading_of: the readings.
        observer: of the deployment.
        encoder: identity of the encoder behind the readings.

    Attributes:
        folded: what counts.
        unreadable: the events whose texts the encoder refuses.
    """

    def __init__(
        self,
        events: Sequence[Recorded],
        erased_at: int | None,
        reading_of: ReadingOf,
        observer: Observer,
        encoder: str,
    ) -> None:
        self.unreadable: list[Recorded] = []
        # An observation's offset is its place among those that are read, from 1.
        self._read: list[tuple[Recorded, Reading]] = []
        self._observations: list[Observation] = []
        for arrived in events:
            reading = reading_of(arrived.event)
            if reading is None:
                self.unreadable.append(arrived)
            else:
                self._read.append((arrived, reading))
                self._observations.append(observer.observe(arrived.event, len(self._read), reading))
        self.folded = Folded(UserHistory(self._observations, erased_at), encoder)

    @property
    def first_duplicate(self) -> Position | None:
        """The position of the first duplicate to arrive; None without one."""
        offset = self.folded.first_duplicate
        return None if offset is None else self._read[offset - 1][0].position

    def applied(self) -> list[Applied]:
        """Return what was applied, in the order of arrival."""
        return self._with_events(self.folded.applied)

    def not_applied(self) -> list[Applied]:
        """Return what was read and not applied, in the order of arrival: duplicates, and what an erasure refuses."""
        applied = {seen.offset for seen in self.folded.applied}
        return self._with_events(seen for seen in self._observations if seen.offset not in applied)

    def _with_events(self, observations: Iterable[Observation]) -> list[Applied]:
        found = []
        for seen in observations:
            arrived, reading = self._read[seen.offset - 1]
            found.append(Applied(arrived.event, seen, arrived.record_time, reading))
        return found
