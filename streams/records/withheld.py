"""The values of records whose batch is not unpacked."""

from __future__ import annotations

from enum import Enum, auto


class Why(Enum):
    """The reason why a batch is not unpacked."""

    TOO_LARGE = auto()
    UNREADABLE = auto()


class Withheld(bytes):
    """The value of a record whose batch is not unpacked. It is empty, and `why` holds the reason."""

    why: Why

    @classmethod
    def because(cls, why: Why) -> Withheld:
        """Return such a value."""
        value = cls()
        value.why = why
        return value
