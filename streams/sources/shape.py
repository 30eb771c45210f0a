"""The shape of events in a source: how one line becomes records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final

from streams.records.ndjson import Record, RejectedLine, parse_line
from streams.records.shapes.auto import auto
from streams.records.shapes.auto import own as translate_own
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


TRANSLATES: Final[dict[Format, Translate]] = {
    Format.AUTO: auto,
    Format.OWN: translate_own,
    Format.SEGMENT: segment,
    Format.GA4: ga4,
}


def own(line: bytes) -> Sequence[Record | RejectedLine]:
    """Return the record of a line in the shape of the contract."""
    return (parse_line(line),)


OWN: Final[Shape] = own


class Shaping:
    """A shape that counts the lines that it leaves out.

    Args:
        translate: what becomes of a line.

    Attributes:
        left_out: number of lines without a record, by what they are and why they have none. Beyond `MAX_LEFT_OUT`
            kinds, all others count as `OTHER`.
        latest: what became of the line that was given last; None before the first.
    """

    def __init__(self, translate: Translate) -> None:
        self._translate = translate
        self.left_out: Counter[tuple[str, str]] = Counter()
        self.latest: Translated | None = None

    def __call__(self, line: bytes) -> Sequence[Record | RejectedLine]:
        """Return the records of a line."""
        self.latest = translated = self._translate(line)
        if not translated.records:
            kind = (translated.source, translated.left_out)
            if len(self.left_out) >= MAX_LEFT_OUT and kind not in self.left_out:
                kind = (OTHER, translated.left_out)
            self.left_out[kind] += 1
        return translated.records
