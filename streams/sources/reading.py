"""Reading files of events, one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from streams.exceptions import ConfigurationError
from streams.records.ndjson import parse_line
from streams.sources.arrived import Arrived
from streams.sources.parquet import check_parquet, is_parquet, read_parquet, unpacked_bytes
from streams.sources.shape import OWN, Shape
from streams.sources.text import read_lines


def check_sources(files: Sequence[Path]) -> None:
    """Refuse missing files, and Parquet files without the columns of records, before any file is read.

    Raises:
        ConfigurationError: there is such a file.
    """
    for path in files:
        if not path.exists() or path.is_dir():
            raise ConfigurationError(
                f"{path}: expected a file of events, found {'a folder' if path.is_dir() else 'none'}"
            )
    for path in files:
        if is_parquet(path):
            check_parquet(path)


def plain_bytes(files: Sequence[Path]) -> int:
    """Return the size of files in bytes; that of Parquet is the decompressed size."""
    return sum(unpacked_bytes(path) if is_parquet(path) else path.stat().st_size for path in files)


def read_sources(files: Iterable[Path], shape: Shape = OWN) -> Iterator[Arrived]:
    """Yield the records of files, in their order.

    Raises:
        ConfigurationError: a file cannot be read.
    """
    for path in files:
        if is_parquet(path):
            yield from read_parquet(path, shape)
        else:
            for number, line in read_lines(path):
                for record in shape(line):
                    yield Arrived(str(path), number, record)


def numbered(lines: Iterable[tuple[int, bytes]]) -> Iterator[Arrived]:
    """Yield the records of lines that stand in no file."""
    return (Arrived("", number, parse_line(line)) for number, line in lines)
