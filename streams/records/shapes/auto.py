"""The shape of a line, told from the line alone."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from streams.contract import INPUTS
from streams.exceptions import MalformedJSONError
from streams.records.ndjson import RejectedLine, parse_line
from streams.records.shapes.ga4 import ga4_fields, is_ga4
from streams.records.shapes.segment import is_segment, segment_fields
from streams.records.shapes.translated import Translated
from streams.records.strict_json import loads

OWN: Final = "own"


def own(line: bytes) -> Translated:
    """Return the record of a line in the shape of the contract."""
    return Translated(OWN, (parse_line(line),))


def has_shape(columns: Collection[str]) -> bool:
    """Tell whether the rows of a table with these columns may be in a shape other than the contract's."""
    return is_ga4(dict.fromkeys(columns)) or is_segment({**dict.fromkeys(columns), "type": "track"})


def is_foreign(fields: dict[str, Any]) -> bool:
    """Tell whether an object is of a shape other than the contract's."""
    return is_segment(fields) or is_ga4(fields)


def auto(line: bytes) -> Translated:
    """Return the records of a line in any shape.

    A line that is a record of the contract is one. Else the fields that only one shape has tell the shape. A line
    without them is refused as a line of the contract.
    """
    translated = None
    if b'"topic"' in line:
        translated = own(line)
        (found,) = translated.records
        if not isinstance(found, RejectedLine) or found.topic in INPUTS:
            return translated
    try:
        fields = loads(line)
    except MalformedJSONError:
        fields = None
    if isinstance(fields, dict):
        if is_segment(fields):
            return segment_fields(line, fields)
        if is_ga4(fields):
            return ga4_fields(line, fields)
    return translated or own(line)
