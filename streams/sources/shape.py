"""The shape of events in a source: how one line becomes records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from enum import StrEnum
from typing import Any, Final

from streams.records.ndjson import Record, RejectedLine
from streams.records.shapes.auto import auto, has_shape, is_foreign, own
from streams.records.shapes.ga4 import ga4
from streams.records.shapes.segment import segment
from streams.records.shapes.translated import Translate, Translated

Shape = Callable[[bytes], Sequence[Record | RejectedLine]]
"""Takes one JSON line, without white space around it, and returns its records: several for an order of several lines,
none for an event that says nothing about a shopper."""

MAX_LEFT_OUT: Final = 200
"""Kinds of lines left out that are counted apart: a program may write a new name into every line."""

OTHER: Final = "others"


class Format(StrEnum):
    """The shapes that can be named."""

    AUTO = "auto"
    OWN = "own"
    SEGMENT = "segment"
    GA4 = "ga4"


_TRANSLATES: Final[dict[Format, Translate]] = {
    Format.AUTO: auto,
    Format.OWN: own,
    Format.SEGMENT: segment,
    Format.GA4: ga4,
}


class Shaping:
    """A shape that counts the lines that it leaves out.

    Args:
        format: names the shape.

    Attributes:
        left_out: number of lines without a record, by what they are and why they have none. Beyond `MAX_LEFT_OUT`
            kinds, all others count as `OTHER`.
        latest: what became of the line that was given last; None before the first.
    """

    def __init__(self, format: Format) -> None:
        self._format = format
        self._translate = _TRANSLATES[format]
        self.left_out: Counter[tuple[str, str]] = Counter()
        self.latest: Translated | None = None

    def __call__(self, line: bytes) -> Sequence[Record | RejectedLine]:
        """Return the records of a line."""
        return self._note(self._translate(line))

    def own(self, line: bytes) -> Sequence[Record | RejectedLine]:
        """Return the record of a line that is known to be in the shape of the contract."""
        return self._note(own(line))

    def takes(self, fields: dict[str, Any]) -> bool:
        """Tell whether an object is of this shape, and no event of the contract."""
        if self._format is Format.AUTO:
            return is_foreign(fields)
        return self._format is not Format.OWN

    def takes_whole(self, columns: Collection[str]) -> bool:
        """Tell whether a row of a table with these columns is one object of the shape, not an event of the contract."""
        if self._format is Format.AUTO:
            return has_shape(columns)
        return self._format is not Format.OWN

    def _note(self, translated: Translated) -> Sequence[Record | RejectedLine]:
        self.latest = translated
        if not translated.records:
            kind = (translated.source, translated.left_out)
            if len(self.left_out) >= MAX_LEFT_OUT and kind not in self.left_out:
                kind = (OTHER, translated.left_out)
            self.left_out[kind] += 1
        return translated.records
