"""What becomes of one line in a shop's own shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from streams.exceptions import MalformedJSONError
from streams.records.ndjson import Record, RejectedLine, reject_line
from streams.records.rejection import Reason
from streams.records.strict_json import loads


class Translated(NamedTuple):
    """What becomes of one line.

    Attributes:
        source: what the line is where it comes from: the shape, and the name of the event there. The name is that of a
            program, which may be anything; it is cut at `MAX_SOURCE` characters.
        records: the records of the line, and at most one rejection.
        left_out: why a sound line has no record; empty otherwise.
    """

    source: str
    records: Sequence[Record | RejectedLine]
    left_out: str = ""


Translate = Callable[[bytes], Translated]
"""Takes one JSON line, of any bytes, and raises nothing because of them."""

MAX_SOURCE = 60

NOT_ABOUT_A_PRODUCT = "not about a product"
NOT_TAKEN_YET = "not taken yet"
UNKNOWN_EVENT = "no event that is taken"


def source_of(shape: str, event: str) -> str:
    """Return the source of an event, by the name that its program gave it."""
    return f"{shape} {event}"[:MAX_SOURCE]


def read_object(shape: str, line: bytes, read: Callable[[bytes, dict[str, Any]], Translated]) -> Translated:
    """Return what becomes of a line that should be an object of a shape.

    Args:
        shape: its name.
        line: as it came.
        read: takes the line and the object in it.
    """
    try:
        fields = loads(line)
    except MalformedJSONError:
        return refused(shape, line, "line: expected a JSON object, found no JSON")
    if type(fields) is not dict:
        return refused(shape, line, "line: expected a JSON object, found another value")
    return read(line, fields)


def refused(source: str, line: bytes, detail: str, topic: str = "") -> Translated:
    """Return a line that is refused whole.

    Args:
        source: of the line.
        line: as it came.
        detail: what was expected and what was found; it quotes nothing of the line.
        topic: for which the line was meant.
    """
    return Translated(source, (reject_line(topic, line, detail, Reason.INVALID),))
