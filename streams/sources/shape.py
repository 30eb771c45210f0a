"""The shape of events in a source: how one line becomes records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from streams.records.ndjson import Record, RejectedLine, parse_line

Shape = Callable[[bytes], Sequence[Record | RejectedLine]]
"""Takes one JSON line, without white space around it, and returns its records: several for an order of several lines,
none for an event that says nothing about a shopper."""


def own(line: bytes) -> Sequence[Record | RejectedLine]:
    """Return the record of a line in the shape of the contract."""
    return (parse_line(line),)


OWN: Final[Shape] = own
