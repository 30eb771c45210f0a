"""How files are read: what the user says about them that they do not say themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Final

from streams.sources.shape import Format, Shaping


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """Says how files are read.

    Attributes:
        shape: takes a JSON line to its records, and counts what it leaves out.
        bare: lines are events without a topic, which follows from their fields.
        columns: the column of a table, or the key of a JSON line, that a field of an event is taken from, by field.
        constants: the values of fields that are the same in every event, by field.
        timezone: of dates, and of times without an offset; None refuses those in text.
        decimal_comma: numbers in a CSV are written 1.234,50 instead of 1234.50.
        integer_ids: ids that are whole numbers are taken as text.
        encoding: of text, by its name in Python; None is UTF-8, or what a byte order mark says.
    """

    # It counts, so that two of them are never the same.
    shape: Shaping = field(default_factory=lambda: Shaping(Format.OWN), compare=False)
    bare: bool = False
    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    timezone: tzinfo | None = None
    decimal_comma: bool = False
    integer_ids: bool = False
    encoding: str | None = None

    @property
    def flat(self) -> bool:
        """Whether a JSON line may be an event itself, as a row of a table is."""
        return self.bare or bool(self.columns) or bool(self.constants)

    @property
    def amends(self) -> bool:
        """Whether the ids or the times of records are changed."""
        return self.integer_ids or self.timezone is not None


AS_THEY_ARE: Final = SourceOptions()
