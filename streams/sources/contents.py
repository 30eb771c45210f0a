"""The records of one file, of whatever kind it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum, auto
from typing import Any, Final

import orjson

from streams.exceptions import ConfigurationError
from streams.records.ndjson import RejectedLine
from streams.sources import parquet
from streams.sources.amending import amended
from streams.sources.arrived import Arrived
from streams.sources.documents import split_documents
from streams.sources.exceptions import UnreadableError
from streams.sources.finding import Part
from streams.sources.options import SourceOptions
from streams.sources.recognising import Form, form_of
from streams.sources.rows import Rows, is_event, is_record, record_line, refused, whole
from streams.sources.shape import Shape
from streams.sources.table import check_columns, header_of, read_table
from streams.sources.text import TooLong, json_lines
from streams.sources.unpacking import Progress, packed_blocks, plain_blocks, utf8_blocks, with_head

LOOKED_AT_BYTES: Final = 1 << 16
"""First bytes of a text that are enough to tell lines, documents and tables apart."""

_KAFKA_TIMESTAMP: Final = "kafka_timestamp"
_WRITTEN: Final = ("text", "query")
_OWN_LINE: Final = frozenset({"value", "raw", "raw_base64"})


class _Row(Enum):
    """What a row of a table is."""

    RECORD = auto()
    EVENT = auto()
    OTHER = auto()
    """A shape other than that of the contract knows."""


class Contents:
    """Reads one file.

    Args:
        part: the file.
        options: say how it is read.
        rows: of the source to which it belongs.

    Attributes:
        empty: whether reading found no byte.
    """

    def __init__(self, part: Part, options: SourceOptions, rows: Rows) -> None:
        self._part = part
        self._options = options
        self._rows = rows
        self.empty = False

    def check(self) -> None:
        """Refuse the file if its beginning shows that it cannot be read.

        Raises:
            ConfigurationError: it cannot.
        """
        if self._is_parquet():
            self._check_columns(parquet.columns_of(self._part.path))
            return
        try:
            text, _ = self._text(*with_head(packed_blocks(self._part, at_once=LOOKED_AT_BYTES)))
            if form_of(text, self._part.path, self._options) is Form.TABLE:
                self._check_columns(header_of(text)[1])
        except UnreadableError as error:
            raise ConfigurationError(f"{self._part.name}: {error}") from error

    def read(self, progress: Progress | None = None) -> Iterator[Arrived]:
        """Yield the records of the file.

        Raises:
            ConfigurationError: it is of a kind, or has columns, that cannot be read.
            UnreadableError: it is cut off or damaged.
        """
        if self._is_parquet():
            self._check_columns(names := parquet.columns_of(self._part.path))
            rows = parquet.read_parquet(self._part.path, self._options.timezone, progress)
            return self._of_rows(rows, names)
        head, packed = with_head(packed_blocks(self._part, progress))
        self.empty = not head
        text, blocks = self._text(head, packed)
        form = form_of(text, self._part.path, self._options)
        if form is Form.TABLE:
            delimiter, names = header_of(text)
            self._check_columns(names)
            return self._of_rows(
                read_table(blocks, delimiter, names, {self._options.columns.get(name, name) for name in _WRITTEN}),
                names,
            )
        return self._of_lines(split_documents(blocks) if form is Form.DOCUMENTS else json_lines(blocks))

    def _is_parquet(self) -> bool:
        """Tell whether the file is Parquet. One that is only named so is refused, not read line by line.

        Raises:
            ConfigurationError: it is named so, and is none.
        """
        path = self._part.path
        if self._part.is_stream:
            return False
        if not parquet.is_parquet(path) and path.suffix.lower() == parquet.PARQUET:
            raise ConfigurationError(f"{path}: expected a Parquet file, found none that reads")
        return parquet.is_parquet(path)

    def _text(self, head: bytes, packed: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
        name, encoding = self._part.name, self._options.encoding
        return with_head(utf8_blocks(plain_blocks(head, packed, name), name, encoding), LOOKED_AT_BYTES, lines=2)

    def _check_columns(self, names: list[str]) -> None:
        check_columns(self._part.name, [*names, *self._part.partitions], self._options)

    def _of_lines(self, lines: Iterable[tuple[int, bytes | TooLong]]) -> Iterator[Arrived]:
        name, shape = self._part.name, self._options.shape
        changed = self._options.flat or self._options.amends
        for number, line in lines:
            if isinstance(line, TooLong):
                yield Arrived(name, number, line.refused())
            elif changed:
                event = self._event_of(line)
                yield from self._arrived(number, event or line, shape if event is None else shape.own)
            else:
                for record in shape(line):
                    yield Arrived(name, number, record)

    def _event_of(self, line: bytes) -> bytes | RejectedLine | None:
        """Return the line of an event whose fields stand in its line side by side; None if it is no such line."""
        if not self._options.flat:
            return None
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            return None
        if not isinstance(row, dict) or ("topic" in row and _OWN_LINE & row.keys()) or self._options.shape.takes(row):
            return None
        return self._rows.line(self._rows.fields({**self._part.partitions, **row}), line)

    def _of_rows(
        self, rows: Iterable[tuple[int, dict[str, Any] | RejectedLine | None]], names: list[str]
    ) -> Iterator[Arrived]:
        partitions = self._part.partitions
        amends, shape = self._options.amends, self._options.shape
        fields = self._rows.names([*names, *partitions])
        kind = _Row.RECORD if is_record(fields) else _Row.EVENT if is_event(fields) else _Row.OTHER
        for number, row in rows:
            if row is None:
                row = refused("row: expected values that Python can hold, found others")
            if isinstance(row, RejectedLine):
                yield Arrived(self._part.name, number, row)
                continue
            row = self._rows.fields({**partitions, **row} if partitions else row)
            if kind is _Row.OTHER:
                yield from self._arrived(number, whole(row), shape)
                continue
            kafka_timestamp = _milliseconds(row.pop(_KAFKA_TIMESTAMP, None))
            line = record_line(row) if kind is _Row.RECORD else self._rows.line(row)
            if amends or isinstance(line, RejectedLine):
                yield from self._arrived(number, line, shape.own, kafka_timestamp)
            else:
                (record,) = shape.own(line)
                yield Arrived(self._part.name, number, record, kafka_timestamp)

    def _arrived(
        self, number: int, line: bytes | RejectedLine, shape: Shape, kafka_timestamp: int | None = None
    ) -> Iterator[Arrived]:
        if isinstance(line, RejectedLine):
            yield Arrived(self._part.name, number, line, kafka_timestamp)
            return
        for record in shape(line):
            kept = record if isinstance(record, RejectedLine) else amended(record, self._options)
            yield Arrived(self._part.name, number, kept, kafka_timestamp)


def _milliseconds(value: Any) -> int | None:
    if isinstance(value, str) and value.isdecimal() and len(value) < 19:
        return int(value)
    return value if isinstance(value, int) else None
