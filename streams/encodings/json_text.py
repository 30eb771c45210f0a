"""Values that are JSON already, bare or behind the header of the wire format."""

from __future__ import annotations

from typing import Final

from streams.encodings.exceptions import UnreadableValueError
from streams.encodings.wire import CONTAINER, HEADER_BYTES

_WHITE: Final = b" \t\r\n"


def bare(value: bytes) -> bytes:
    """Return a JSON text without the white space around it. Whoever reads it finds out whether it is one.

    Raises:
        UnreadableValueError: it is no object.
    """
    text = value.strip(_WHITE)
    if text[:1] == b"{":
        return text
    if text.startswith(CONTAINER):
        raise UnreadableValueError("expected JSON, found a file of Avro (object container)")
    raise UnreadableValueError("expected a JSON object, found something else")


def behind_header(value: bytes) -> bytes:
    """Return the JSON text of a value of JSON Schema.

    It is not compared with its schema: those who read events check each field that they take, and say which is wrong.

    Raises:
        UnreadableValueError: it is no object.
    """
    return bare(value[HEADER_BYTES:])
