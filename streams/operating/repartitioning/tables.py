"""The tables that are copied, and what is particular to each: which of two rows is newer, and how a row moves."""

from __future__ import annotations

from typing import Final, Protocol

from features.users.codec import moved, offsets_and_erasure, order, substance
from streams.contract import CAPACITY, SCORES, changelog_name, topic_name
from streams.settings import Settings
from streams.worker.republishing.ahead import rank_of

_RECORDS: Final = {SCORES: "scores", CAPACITY: "estimates"}


class Table(Protocol):
    """A compacted topic as a table of users.

    Attributes:
        what: its rows, for people.
        forgets: whether a tombstone has readers forget the user.
    """

    what: str
    forgets: bool

    def name(self, settings: Settings) -> str:
        """Return the name of the topic on the broker."""

    def rank(self, value: bytes) -> tuple[int, ...] | None:
        """Return what orders the rows of one user, the greatest being the one that counts; None for no row.

        Raises:
            StateFormatError: the value is no state that this release reads.
        """

    def moved(self, value: bytes, epoch: int) -> bytes:
        """Return a row as it stands in the copy, in which every epoch is at least this one."""

    def substance(self, value: bytes) -> bytes:
        """Return what of a row is the same in the copy."""


class States:
    """The changelog: the state of every user, and the marker of every erased one."""

    what = "states"
    forgets = False
    """A tombstone in the changelog is nobody's: it only says that the log has begun."""

    def name(self, settings: Settings) -> str:
        """Return the name of the changelog."""
        return changelog_name(settings)

    def rank(self, value: bytes) -> tuple[int, ...] | None:
        """Return (epoch, sequence)."""
        return order(value)

    def moved(self, value: bytes, epoch: int) -> bytes:
        """Return the state with nothing applied of the new inputs."""
        return moved(value, epoch)

    def substance(self, value: bytes) -> bytes:
        """Return all but epoch and offsets."""
        return substance(value)

    @staticmethod
    def is_marked(value: bytes) -> bool:
        """Return whether the user was ever erased."""
        _, erased_at = offsets_and_erasure(value)
        return erased_at is not None


class Records:
    """A topic of records of users, of scores or of capacity: the newest of every user.

    Args:
        topic: of the contract.
    """

    forgets = True

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self.what = _RECORDS[topic]

    def name(self, settings: Settings) -> str:
        """Return the name of the topic."""
        return topic_name(settings, self._topic)

    def rank(self, value: bytes) -> tuple[int, ...] | None:
        """Return (life, revision, event time, emitted at)."""
        rank = rank_of(value)
        return None if rank is None else rank.order

    def moved(self, value: bytes, epoch: int) -> bytes:
        """Return the record as it is: readers know it."""
        return value

    def substance(self, value: bytes) -> bytes:
        """Return the record."""
        return value
