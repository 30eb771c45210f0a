"""The users of one partition that are committed together, as they were when the group was taken."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from features.users.codec import encode
from features.users.state import UserState
from streams.records.score_record import Trigger
from streams.worker.publishing.emitter import Subject


class Touch(msgspec.Struct):
    """A user to be committed.

    Attributes:
        state: the live state.
        ticket: when the user was first touched since the last group.
        changed: whether the changelog lacks the state.
        erased: whether an erasure is among what happened: the score topic needs its tombstone.
        reset: whether consumers are to forget the record before: the score topic needs a tombstone first.
        topic, offset: of the last event applied; no topic if there is none.
        arrivals: Kafka timestamps (ms) of the events applied.
    """

    state: UserState
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


class Group:
    """Users on their way out.

    Args:
        touches: at least one, by user id.
        partition: its number.
        epoch: of its owner.

    Attributes:
        users: their ids.
        first: the lowest ticket among them.
        states: what the changelog lacks, by encoded user id.
        offsets: for each `Source`, the greatest that any of these states has applied.
        arrivals: Kafka timestamps (ms) of the events applied.
        subjects: the users to be published; their states go on changing once other work has its turn.
        done: whether all that was published of them is acknowledged.
    """

    __slots__ = ("arrivals", "done", "first", "offsets", "states", "subjects", "users")

    def __init__(self, touches: Mapping[str, Touch], partition: int, epoch: int) -> None:
        self.users = frozenset(touches)
        self.first = next(iter(touches.values())).ticket
        self.done = False
        self.arrivals: list[int] = []
        self.states: dict[bytes, bytes] = {}
        self.subjects: list[Subject] = []
        offsets: list[list[int]] = []
        for user_id, touch in touches.items():
            state = touch.state
            self.arrivals += touch.arrivals
            if touch.changed:
                self.states[user_id.encode()] = encode(state)
                offsets.append(state.offsets)
            self.subjects.append(Subject(user_id, state, epoch, touch.erased, touch.trigger(partition), touch.reset))
        self.offsets = list(map(max, zip(*offsets, strict=True)))
