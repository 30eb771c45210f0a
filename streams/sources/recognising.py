"""Which kind of file it is, by its first bytes: a name may say anything."""

from __future__ import annotations

import codecs
import csv
import re
from enum import Enum, auto
from pathlib import Path
from typing import Final

from streams.exceptions import ConfigurationError
from streams.sources.options import SourceOptions

HEAD_BYTES: Final = 512
"""First bytes that are enough to know how a file is packed: the mark of a tar archive is at 257."""

PARQUET_MAGIC: Final = b"PAR1"


class Packing(Enum):
    """How the bytes of a file are packed."""

    NONE = auto()
    GZIP = auto()
    ZSTD = auto()
    PARQUET = auto()


class Form(Enum):
    """How events stand in a text."""

    LINES = auto()
    """One JSON object a line."""
    DOCUMENTS = auto()
    """JSON objects over several lines, perhaps in an array."""
    TABLE = auto()
    """CSV with a header."""


_PACKED: Final = {b"\x1f\x8b": Packing.GZIP, b"\x28\xb5\x2f\xfd": Packing.ZSTD, PARQUET_MAGIC: Packing.PARQUET}
# A frame of zstd that readers skip; parallel compressors begin with one.
_SKIPPABLE_ZSTD: Final = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")
_UNPACK: Final = "unpack it first"
_CONVERT: Final = "convert it to NDJSON, CSV or Parquet first"
_STRANGE: Final = (
    (b"PK\x03\x04", f"a zip archive or a spreadsheet: {_UNPACK}, or save it as CSV"),
    (b"BZh", f"a bzip2 file: {_UNPACK}"),
    (b"\xfd7zXZ\x00", f"an xz file: {_UNPACK}"),
    (b"7z\xbc\xaf\x27\x1c", f"a 7z archive: {_UNPACK}"),
    (b"\x04\x22\x4d\x18", f"an lz4 file: {_UNPACK}"),
    (b"\xff\x06\x00\x00sNaPpY", f"a snappy file: {_UNPACK}"),
    (b"Obj\x01", f"an Avro file: {_CONVERT}"),
    (b"ORC", f"an ORC file: {_CONVERT}"),
    (b"ARROW1", f"an Arrow file: {_CONVERT}"),
    (b"SQLite format 3", f"an SQLite database: {_CONVERT}"),
    (b"%PDF", f"a PDF: {_CONVERT}"),
    (b"\xd0\xcf\x11\xe0", "a spreadsheet: save it as CSV"),
    (b"\x7fELF", "a program"),
)

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    # That of UTF-16 is the beginning of this one.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

DELIMITERS: Final = ",;\t|"
_TABLES: Final = frozenset({".csv", ".tsv", ".psv", ".tab"})
_PACKED_SUFFIXES: Final = frozenset({".gz", ".zst", ".zstd"})
_OPENS_ARRAY: Final = re.compile(rb"\[(?:[ \t]*\r?\n|\s*\{)")
_OPENS_OBJECT: Final = re.compile(rb"\{[ \t]*\r?\n")
_NUMBER: Final = re.compile(r"[+-]?[\d.,]+")


def packing_of(head: bytes, name: str) -> Packing:
    """Return how a file is packed that begins with these bytes.

    Raises:
        ConfigurationError: it is of a kind that is not read.
    """
    for magic, packing in _PACKED.items():
        if head.startswith(magic):
            return packing
    if _SKIPPABLE_ZSTD.match(head):
        return Packing.ZSTD
    refuse_strange(head, name)
    return Packing.NONE


def refuse_strange(head: bytes, name: str) -> None:
    """Refuse a file that is known not to be text.

    Raises:
        ConfigurationError: it is one.
    """
    found = next((what for magic, what in _STRANGE if head.startswith(magic)), None)
    if found is None and head[257:262] == b"ustar":
        found = f"a tar archive: {_UNPACK}"
    if found is not None:
        raise ConfigurationError(f"{name}: expected NDJSON, JSON, CSV or Parquet, found {found}")


def mark_of(head: bytes) -> tuple[bytes, str] | None:
    """Return the byte order mark that a text begins with and the encoding that it stands for; None without one."""
    return next(((mark, encoding) for mark, encoding in _MARKS if head.startswith(mark)), None)


def form_of(head: bytes, path: Path, options: SourceOptions) -> Form:
    """Return how events stand in a text that begins with these bytes of UTF-8, without a byte order mark."""
    text = head.lstrip(b" \t\r\n")
    if _OPENS_ARRAY.match(text) or _OPENS_OBJECT.match(text):
        return Form.DOCUMENTS
    if not text or text.startswith((b"{", b"[")):
        return Form.LINES
    suffixes = [suffix.lower() for suffix in path.suffixes]
    while suffixes and suffixes[-1] in _PACKED_SUFFIXES:
        suffixes.pop()
    if options.columns or (suffixes and suffixes[-1] in _TABLES) or _has_header(text):
        return Form.TABLE
    return Form.LINES


def delimiter_of(line: str) -> str:
    """Return the delimiter that divides the header of a table into most cells; a comma if none divides it."""
    return max(DELIMITERS, key=lambda delimiter: len(cells_of(line, delimiter)))


def cells_of(line: str, delimiter: str) -> list[str]:
    """Return the cells of one line of a table."""
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []


def _has_header(text: bytes) -> bool:
    """Tell whether two lines look like names of columns and a row under them."""
    lines = [line for line in re.split("\r\n|\n|\r", text.decode(errors="replace")) if line.strip()][:2]
    if not lines:
        return False
    delimiter = delimiter_of(lines[0])
    names = [name.strip() for name in cells_of(lines[0], delimiter)]
    if len(names) < 2 or not all(names) or len(set(names)) < len(names) or any(map(_NUMBER.fullmatch, names)):
        return False
    if {"user_id", "topic"} & set(names):
        return True
    return len(lines) == 2 and len(cells_of(lines[1], delimiter)) == len(names)
