"""What an emitter is given of an entity, and what it makes of a group of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, Protocol

import msgspec

from features.entity import S
from features.online.rows import Forget
from streams.records.outgoing import Outgoing
from streams.records.score_record import Trigger


class Subject(msgspec.Struct, Generic[S], frozen=True, gc=False):
    """A user or an item to be published.

    Attributes:
        key: the id.
        epoch: of the partition's owner, which leads the fence of the row: whatever an earlier owner's clock said, the
            rows of a later one take its place.
        erased: whether an erasure is among what happened.
        trigger: the last event applied, if there is one.
        reset: whether consumers are to forget the record before.
    """

    key: str
    state: S
    epoch: int
    erased: bool = False
    trigger: Trigger | None = None
    reset: bool = False

    def fence(self, emitted_at: int) -> tuple[int, int, int]:
        """Return what orders a row that is made at this instant (ms) among those of the same key."""
        return self.epoch, self.state.sequence, emitted_at


@dataclass(slots=True)
class Emission:
    """What is published of a group.

    Attributes:
        emitted_at: when it was made, ms; no two calls of an emitter have the same.
        records: and tombstones for the broker, by topic of the contract; they are sent in the order of the topics here.
        rows: and removals for the online store.
    """

    emitted_at: int
    records: dict[str, list[Outgoing]] = field(default_factory=dict)
    rows: list[Any] = field(default_factory=list)

    def add(self, topic: str, record: Outgoing) -> None:
        """Have a record sent to a topic of the contract, behind those before it."""
        known = self.records.get(topic)
        if known is None:
            self.records[topic] = [record]
        else:
            known.append(record)

    def count(self, topic: str) -> int:
        """Return the number of records for a topic, tombstones left out."""
        return sum(record.value is not None for record in self.records.get(topic, ()))


class Living(NamedTuple, Generic[S]):
    """Those of whom a record and a row follow, and for each the emission that takes them."""

    subjects: list[Subject[S]]
    into: list[Emission]


def begin(
    groups: Sequence[Sequence[Subject[S]]],
    emitted_at: int,
    forget: Callable[[Emission, Subject[S]], None],
    reset: Callable[[Emission, Subject[S]], None],
) -> tuple[list[Emission], Living[S]]:
    """Return an emission of each group, with the removals of those that are erased or gone.

    Removals come first even where a record and a row follow: the tombstone resets the revisions that consumers
    remember, and the removal takes what the row does not replace.

    Args:
        groups: of subjects.
        emitted_at: see `Emission`.
        forget: adds the tombstones of one that is erased or gone.
        reset: adds the tombstones of one whose record before is to be forgotten.
    """
    emissions: list[Emission] = []
    living = Living[S]([], [])
    for subjects in groups:
        emission = Emission(emitted_at)
        emissions.append(emission)
        for subject in subjects:
            if subject.erased or not subject.state.revision:
                forget(emission, subject)
                emission.rows.append(Forget(subject.key, subject.fence(emitted_at - 1)))
            elif subject.reset:
                reset(emission, subject)
            if subject.state.revision:
                living.subjects.append(subject)
                living.into.append(emission)
    return emissions, living


class Instants:
    """The instants of emissions, ms. Never the same one twice: the online fence and the consumers order by it."""

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> int:
        """Return the wall clock, or the instant after the last one where the clock is not beyond it."""
        self._last = max(int(time.time() * 1000), self._last + 1)
        return self._last


class Emits(Protocol[S]):
    """Computes emissions."""

    def emit(self, groups: Sequence[Sequence[Subject[S]]]) -> list[Emission]:
        """Return what is to be published of each group, as its states are now."""
        ...
