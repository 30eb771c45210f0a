"""Why a record was refused: the closed list of reasons, and a reason with its detail."""

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
        detail: what was expected and which kind of thing was found: names of known fields, types, positions
            and limits, never anything a user wrote.
    """

    reason: Reason
    detail: str


def headers(rejection: Rejection, topic: str, partition: int, offset: int) -> list[tuple[str, bytes]]:
    """Return the headers of a dead letter: why, and which record of the input it is."""
    return [
        ("reason", rejection.reason.value.encode()),
        ("detail", rejection.detail.encode()),
        ("topic", topic.encode()),
        ("partition", str(partition).encode()),
        ("offset", str(offset).encode()),
    ]
