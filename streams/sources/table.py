"""CSV with a header: one row per event."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator
from typing import Any, Final

from streams.exceptions import ConfigurationError
from streams.records.ndjson import RejectedLine
from streams.records.rejection import Reason
from streams.settings import MAX_RECORD_BYTES
from streams.sources.exceptions import UnreadableError
from streams.sources.options import SourceOptions
from streams.sources.recognising import cells_of, delimiter_of
from streams.sources.rows import FIELDS, RECORD, REQUIRED, Rows, is_event, is_record, refused
from streams.sources.text import MAX_LINE_BYTES, TooLong, split_lines

MAX_CELL: Final = 2 * MAX_RECORD_BYTES
"""The longest cell, in characters; a quote that is not closed takes in so many."""

_SHOWN: Final = 8


def header_of(head: bytes) -> tuple[str, list[str]]:
    """Return the delimiter of a table that begins with these bytes, and the names of its columns."""
    line = next((line for line in re.split("\r\n|\n|\r", head.decode(errors="replace")) if line.strip()), "")
    delimiter = delimiter_of(line)
    return delimiter, [name.strip() for name in cells_of(line, delimiter)]


def check_columns(name: str, columns: list[str], options: SourceOptions) -> None:
    """Refuse a table whose columns make no event.

    Args:
        name: of the file, for messages.
        columns: their names.
        options: hold the mapping.

    Raises:
        ConfigurationError: a column that is mapped is not there, one that is used stands twice, or fields are missing.
    """
    shown = ", ".join(f"`{column[:40]}`" for column in columns[:_SHOWN]) + (", ..." if len(columns) > _SHOWN else "")
    for field, column in options.columns.items():
        if column not in columns:
            raise ConfigurationError(f"{name}: expected a column `{column}` for `{field}`, found {shown}")
    fields = Rows(options).names(columns)
    used = set(options.columns.values()) | (fields & (FIELDS | RECORD))
    if twice := sorted(column for column in used if columns.count(column) > 1):
        raise ConfigurationError(f"{name}: expected columns of different names, found `{twice[0]}` twice")
    if is_event(fields) or is_record(fields) or options.shape.takes_whole(fields):
        return
    missing = ", ".join(f"`{field}`" for field in sorted(REQUIRED - fields, reverse=True))
    raise ConfigurationError(
        f"{name}: expected the columns `topic` and `value` (JSON), or the fields of events, found no "
        f"{missing or '`topic` (or `action`, `query`, `text`)'} among {shown}: name columns by --map FIELD=COLUMN, and "
        "what is the same in every row by --set FIELD=VALUE"
    )


def read_table(
    blocks: Iterator[bytes], delimiter: str, columns: list[str], written: Collection[str] = ("text", "query")
) -> Iterator[tuple[int, dict[str, Any] | RejectedLine]]:
    """Yield the rows of a table by column, each with the number of the line that it begins on.

    An empty cell is None, and white space around a cell goes.

    Args:
        blocks: in UTF-8.
        delimiter: between the cells.
        columns: the names in the header.
        written: the columns that shoppers wrote, which keep their white space.

    Raises:
        UnreadableError: a line is too long.
    """
    # The limit is the library's, for the whole process; its own is less than a record.
    csv.field_size_limit(MAX_CELL)
    lines = _Lines(split_lines(blocks))
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    strips = [name not in written for name in columns]
    header = True
    while True:
        lines.clear()
        number = lines.number + 1
        try:
            cells = next(reader, None)
        except csv.Error:
            detail = f"row: expected closed quotes, and cells of at most {MAX_CELL} characters, found others"
            yield from _refused(detail, number, lines)
            header = False
            continue
        if cells is None:
            return
        if not any(map(str.strip, cells)):
            continue
        if header:
            header = False
        elif len(cells) < len(columns) or any(map(str.strip, cells[len(columns) :])):
            detail = f"row: expected {len(columns)} cells as in the header, found {len(cells)}"
            yield from _refused(detail, number, lines)
        else:
            found = (cell.strip() if strip else cell for cell, strip in zip(cells, strips, strict=False))
            yield number, {column: cell or None for column, cell in zip(columns, found, strict=True) if column}


class _Lines:
    """Text lines for the reader of CSV, which takes several where a cell holds line feeds.

    Attributes:
        number: of the last line that was taken; the first is 1.
        taken: the lines of the row that is read; `clear` begins another.
    """

    def __init__(self, lines: Iterator[bytes | TooLong]) -> None:
        self._lines = lines
        self.number = 0
        self.taken: list[str] = []
        self._length = 0

    def clear(self) -> None:
        """Forget what was taken, because a row ends here."""
        self.taken.clear()
        self._length = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.number += 1
        if isinstance(line, TooLong):
            raise UnreadableError("expected a row, found a line of many megabytes")
        # Bytes that are no UTF-8 become lone surrogates, which the row is refused for.
        text = line.removesuffix(b"\r").decode(errors="surrogateescape") + "\n"
        self.taken.append(text)
        self._length += len(text)
        if self._length > MAX_LINE_BYTES:
            # Quotes that open behind others, line after line, make one row of a whole file.
            raise csv.Error
        return text


def _refused(detail: str, number: int, lines: _Lines) -> Iterator[tuple[int, RejectedLine]]:
    """Yield the rejection of every line that was taken, from `number` on.

    A quote that is not closed takes in thousands of rows: as one refusal they would be lost without being counted.
    """
    for place, line in enumerate(lines.taken, number):
        if raw := line.encode(errors="surrogateescape").rstrip(b"\n"):
            yield place, refused(detail, Reason.MALFORMED, raw)
