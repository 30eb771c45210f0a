"""Reading sources of events, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from streams.exceptions import ConfigurationError
from streams.records.ndjson import parse_line
from streams.sources.arrived import Arrived
from streams.sources.options import AS_THEY_ARE, SourceOptions
from streams.sources.parquet import check_parquet, is_parquet, read_parquet, unpacked_bytes
from streams.sources.text import read_lines

Progress = Callable[[int], None]
"""Takes the bytes on disk that were read since the last call."""


def check_sources(files: Sequence[Path], options: SourceOptions = AS_THEY_ARE) -> None:
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


def packed_bytes(files: Sequence[Path]) -> int | None:
    """Return the bytes on disk that reading goes through; None if a source is a stream, whose length is not known."""
    return sum(path.stat().st_size for path in files)


def plain_bytes(files: Sequence[Path]) -> int:
    """Return about how many bytes files have once they are unpacked."""
    return sum(unpacked_bytes(path) if is_parquet(path) else path.stat().st_size for path in files)


def read_sources(
    files: Iterable[Path], options: SourceOptions = AS_THEY_ARE, progress: Progress | None = None
) -> Iterator[Arrived]:
    """Yield the records of files, in their order.

    Args:
        files: files, folders, or `-` for standard input.
        options: say how they are read.
        progress: told of the bytes that were read; they add up to `packed_bytes`.

    Raises:
        ConfigurationError: a file cannot be read.
    """
    for path in files:
        if is_parquet(path):
            yield from read_parquet(path, options.shape)
        else:
            for number, line in read_lines(path):
                for record in options.shape(line):
                    yield Arrived(str(path), number, record)
        if progress is not None:
            progress(path.stat().st_size)


def numbered(lines: Iterable[tuple[int, bytes]]) -> Iterator[Arrived]:
    """Yield the records of lines that stand in no file."""
    return (Arrived("", number, parse_line(line)) for number, line in lines)
