"""Reading sources of events, one file after the other, whatever kind each is of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from streams.exceptions import ConfigurationError
from streams.records.ndjson import parse_line
from streams.sources import parquet
from streams.sources.arrived import Arrived
from streams.sources.contents import Contents
from streams.sources.exceptions import UnreadableError
from streams.sources.finding import Part, find_parts
from streams.sources.options import AS_THEY_ARE, SourceOptions
from streams.sources.recognising import HEAD_BYTES, Packing, packing_of
from streams.sources.rows import Rows
from streams.sources.unpacking import Progress, packed_blocks, with_head

UNPACKS_TO: Final = 10
"""How many times larger a packed text of events is taken to be once it is unpacked."""

STREAM_BYTES: Final = 2 << 30
"""How large a stream is taken to be, whose length is not known."""


def check_sources(files: Sequence[Path], options: SourceOptions = AS_THEY_ARE) -> None:
    """Refuse what cannot be read, as far as its beginning shows, before anything is read.

    A stream is not looked into, because it can be read only once.

    Raises:
        ConfigurationError: there is such a file, or all of them are empty.
    """
    parts = find_parts(files)
    for part in parts:
        if not part.is_stream:
            Contents(part, options, Rows(options)).check()
    if parts and all(part.size == 0 for part in parts):
        raise _empty(parts)


def packed_bytes(files: Sequence[Path]) -> int | None:
    """Return the bytes on disk that reading goes through; None if a source is a stream, whose length is not known."""
    sizes = [part.size for part in find_parts(files)]
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None


def plain_bytes(files: Sequence[Path]) -> int:
    """Return about how many bytes files have once they are unpacked."""
    return sum(map(_plain_bytes, find_parts(files)))


def read_sources(
    files: Iterable[Path], options: SourceOptions = AS_THEY_ARE, progress: Progress | None = None
) -> Iterator[Arrived]:
    """Yield the records of files, in their order.

    Args:
        files: files, folders, or `-` for standard input.
        options: say how they are read.
        progress: told of the bytes that were read; they add up to `packed_bytes`.

    Raises:
        ConfigurationError: a file cannot be read, or all of them are empty.
    """
    rows, source = Rows(options), 0
    parts = find_parts(files)
    empty = bool(parts)
    for part in parts:
        if part.source != source:
            rows, source = Rows(options), part.source
        number = 0
        contents = Contents(part, options, rows)
        try:
            for arrived in contents.read(progress):
                number = arrived.line
                yield arrived
            empty = empty and contents.empty
        except UnreadableError as error:
            raise ConfigurationError(f"{part.name}, after line {number:,}: {error}") from error
    if empty:
        raise _empty(parts)


def numbered(lines: Iterable[tuple[int, bytes]]) -> Iterator[Arrived]:
    """Yield the records of lines that stand in no file."""
    return (Arrived("", number, parse_line(line)) for number, line in lines)


def _empty(parts: list[Part]) -> ConfigurationError:
    return ConfigurationError(f"{parts[0].name}: expected events, found an empty file")


def _plain_bytes(part: Part) -> int:
    if part.size is None:
        return STREAM_BYTES
    if parquet.is_parquet(part.path):
        return parquet.unpacked_bytes(part.path)
    head, _ = with_head(packed_blocks(part, at_once=HEAD_BYTES))
    packing = packing_of(head, part.name)
    return part.size if packing is Packing.NONE else part.size * UNPACKS_TO
