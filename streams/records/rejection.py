"""The reasons for which a record is refused, a closed list, and the rejection that carries one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """The dead-letter reasons; a record carries the first that applies."""

    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    INVALID = "invalid"
    KEY_MISMATCH = "key_mismatch"
    FUTURE = "future"
    ENCODER_FAILED = "encoder_failed"


@dataclass(frozen=True, slots=True)
class Rejection:
    """A record that is not applied.

    Attributes:
        reason: the first reason that applies.
        detail: says what was expected and which kind of value was found. It holds names of known fields, types,
            positions and limits, and no text that a user wrote.
    """

    reason: Reason
    detail: str


def headers(rejection: Rejection, topic: str, partition: int, offset: int) -> list[tuple[str, bytes]]:
    """Return the headers of a dead letter: the reason, and the place of the record in the input."""
    return [
        ("reason", rejection.reason.value.encode()),
        ("detail", rejection.detail.encode()),
        ("topic", topic.encode()),
        ("partition", str(partition).encode()),
        ("offset", str(offset).encode()),
    ]
