"""The users or items of one partition that are committed together, as they were when the group was taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic

import msgspec

from features.entity import S
from streams.records.score_record import Trigger
from streams.worker.publishing.emission import Subject


class Touch(msgspec.Struct, Generic[S]):
    """Somebody or something to be committed.

    Attributes:
        state: the live state.
        ticket: when it was first touched since the last group.
        changed: whether the changelog lacks the state.
        erased: whether an erasure is among what happened: the topics need their tombstones.
        reset: whether consumers are to forget the record before: its topic needs a tombstone first.
        topic, offset: of the last event applied; no topic if there is none.
        arrivals: Kafka timestamps (ms) of the events applied.
    """

    state: S
    ticket: int
    changed: bool = False
    erased: bool = False
    reset: bool = False
    topic: str = ""
    offset: int = -1
    arrivals: list[int] = []

    def trigger(self, partition: int) -> Trigger | None:
        """The last event applied, one of that partition; None if there is none."""
        return Trigger(self.topic, partition, self.offset) if self.topic else None


class Group(Generic[S]):
    """Keys on their way out.

    Args:
        touches: at least one, by key.
        facts: what is to be sent before any of these states.
        partition: its number.
        epoch: of its owner.
        encode: turns a state into the changelog's bytes.

    Attributes:
        keys: of the users or items.
        first: the lowest ticket among them.
        facts: see above.
        states: what the changelog lacks, by encoded key.
        offsets: for each source, the greatest that any of these states has applied.
        arrivals: Kafka timestamps (ms) of the events applied.
        subjects: what is to be published; their states go on changing once other work has its turn.
        done: whether all that was published of them is acknowledged.
    """

    __slots__ = ("arrivals", "done", "facts", "first", "keys", "offsets", "states", "subjects")

    def __init__(
        self,
        touches: Mapping[str, Touch[S]],
        facts: Sequence[Any],
        partition: int,
        epoch: int,
        encode: Callable[[S], bytes],
    ) -> None:
        self.keys = frozenset(touches)
        self.first = next(iter(touches.values())).ticket
        self.facts = facts
        self.done = False
        self.arrivals: list[int] = []
        self.states: dict[bytes, bytes] = {}
        self.subjects: list[Subject[S]] = []
        offsets: list[Sequence[int]] = []
        for key, touch in touches.items():
            state = touch.state
            self.arrivals += touch.arrivals
            if touch.changed:
                self.states[key.encode()] = encode(state)
                offsets.append(state.offsets)
            self.subjects.append(Subject(key, state, epoch, touch.erased, touch.trigger(partition), touch.reset))
        self.offsets = list(map(max, zip(*offsets, strict=True)))
