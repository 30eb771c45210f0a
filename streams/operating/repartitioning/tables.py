"""The tables that are copied, and what is particular to each: which of two rows is newer, and how one moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from features.entity import Entity
from streams.contract import CAPACITY, ITEM_SIGNALS, SCORES, topic_name
from streams.settings import Settings
from streams.worker.republishing.ahead import rank_of

_RECORDS: Final = {SCORES: "scores", CAPACITY: "estimates", ITEM_SIGNALS: "signals"}


class Table(Protocol):
    """A compacted topic as a table of users or items.

    Attributes:
        what: its rows, for people.
        forgets: whether a tombstone has readers forget the key.
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
    """A changelog: the state of every user, and the marker of every erased one, or the state of every item.

    Args:
        what: its rows, for people.
        entity: whose states they are.
        changelog: returns its name on the broker.
    """

    forgets = False
    """A tombstone in the changelog is nobody's: it only says that the log has begun."""

    def __init__(self, what: str, entity: Entity[Any], changelog: Callable[[Settings], str]) -> None:
        self.what = what
        self._entity = entity
        self._changelog = changelog

    def name(self, settings: Settings) -> str:
        """Return the name of the changelog."""
        return self._changelog(settings)

    def rank(self, value: bytes) -> tuple[int, ...] | None:
        """Return (epoch, sequence)."""
        return self._entity.order(value)

    def moved(self, value: bytes, epoch: int) -> bytes:
        """Return the state with nothing applied of the new inputs."""
        return self._entity.moved(value, epoch)

    def substance(self, value: bytes) -> bytes:
        """Return all but epoch, offsets and places."""
        return self._entity.substance(value)


class Records:
    """A topic of records: of scores or of capacity the newest of every user, of signals that of every item.

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
