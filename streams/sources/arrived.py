"""What every source yields: a record, or the reason why there is none, with its place in its file."""

from __future__ import annotations

from typing import NamedTuple

from streams.records.ndjson import Record, RejectedLine


class Arrived(NamedTuple):
    """A record or a rejected line, with its place.

    Attributes:
        file: as the user named it.
        line: number in the file of the line, or of the row, that it comes from; the first is 1. A line of several
            events yields several.
        record: the record, or the rejection.
        kafka_timestamp: of the record in ms, if the file has one.
    """

    file: str
    line: int
    record: Record | RejectedLine
    kafka_timestamp: int | None = None
