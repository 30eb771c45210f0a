"""What an emitter is given of an entity, and what it makes of a group of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol

import msgspec

from features.entity import S
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


class Emits(Protocol[S]):
    """Computes emissions."""

    def emit(self, groups: Sequence[Sequence[Subject[S]]]) -> list[Emission]:
        """Return what is to be published of each group, as its states are now."""
        ...
