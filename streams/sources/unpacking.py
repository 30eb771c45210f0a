"""The bytes of a file as blocks of UTF-8: read once, unpacked and decoded as they come, never held whole."""

from __future__ import annotations

import codecs
import io
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final

from streams.exceptions import ConfigurationError
from streams.sources.exceptions import UnreadableError
from streams.sources.finding import STANDARD_INPUT, Part
from streams.sources.recognising import HEAD_BYTES, Packing, mark_of, packing_of, refuse_strange

BLOCK_BYTES: Final = 1 << 20
"""The most bytes of a block. A few kilobytes may unpack to gigabytes, so unpacking is bounded by it too."""

_MAGIC_BYTES: Final = 16
"""First bytes that are enough to know a kind of file by, but for a tar archive, which holds no line feed there."""

_WITH_HEADER: Final = 16 + zlib.MAX_WBITS

Progress = Callable[[int], None]
"""Takes the bytes on disk that were read since the last call."""


def packed_blocks(part: Part, progress: Progress | None = None, at_once: int = BLOCK_BYTES) -> Iterator[bytes]:
    """Yield the bytes of a file as they lie on disk, in blocks of at most `at_once`.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    try:
        with _opened(part) as file:
            while block := file.read(at_once):
                yield block
                if progress is not None:
                    progress(len(block))
    except OSError as error:
        raise ConfigurationError(f"{part.name}: expected a file that can be read, found {error.strerror}") from error


def with_head(blocks: Iterator[bytes], least: int = HEAD_BYTES, lines: int = 1) -> tuple[bytes, Iterator[bytes]]:
    """Return the first bytes, at least so many or so many lines if there are, and blocks with them put back.

    A pipe may be slow, and whoever reads the first lines of it need not wait for more.
    """
    head = b""
    for block in blocks:
        head += block
        if len(head) >= least or (len(head) >= _MAGIC_BYTES and head.count(b"\n") >= lines):
            break
    return head, _put_back(head, blocks)


def plain_blocks(head: bytes, blocks: Iterator[bytes], name: str) -> Iterator[bytes]:
    """Return the unpacked blocks of a file that begins with `head`.

    Raises:
        ConfigurationError: it is of a kind that is not read.
        UnreadableError: while blocks are taken: it is cut off or damaged.
    """
    packing = packing_of(head, name)
    if packing is Packing.NONE:
        return blocks
    if packing is Packing.PARQUET:
        raise ConfigurationError(
            f"{name}: expected text in a stream, found Parquet, which is read in a file alone: write it to one first"
        )
    unpacked = _gunzipped(blocks) if packing is Packing.GZIP else _unzstd(blocks)
    head, unpacked = with_head(unpacked)
    if packing_of(head, name) is not Packing.NONE:
        raise ConfigurationError(
            f"{name}: expected one that is packed once, found a packed file in it: unpack it first"
        )
    return unpacked


def utf8_blocks(blocks: Iterator[bytes], name: str, encoding: str | None) -> Iterator[bytes]:
    """Return the blocks of a text in UTF-8 without a byte order mark; invalid UTF-8 stays as it is.

    Args:
        blocks: unpacked.
        name: of the file, for messages.
        encoding: that of the text; None goes by its mark, and takes it for UTF-8 without one.

    Raises:
        ConfigurationError: the text is binary.
        UnreadableError: while blocks are taken: the bytes are not in the encoding.
    """
    head, blocks = with_head(blocks, 4)
    refuse_strange(head, name)
    mark = mark_of(head)
    if mark is not None:
        blocks = _without(len(mark[0]), blocks)
    found = mark[1] if mark is not None else encoding or "utf-8"
    if codecs.lookup(found).name != "utf-8":
        return _recoded(blocks, found)
    if b"\0" in head[:4]:
        raise ConfigurationError(
            f"{name}: expected text, found zero bytes; name an encoding such as UTF-16 without a mark by "
            "--encoding utf-16-le"
        )
    return blocks


def _opened(part: Part) -> io.FileIO:
    if part.path != STANDARD_INPUT:
        return io.FileIO(part.path, "rb")
    if sys.stdin is None or sys.stdin.closed:
        raise ConfigurationError(f"{part.name}: expected events, found it closed")
    # The process keeps its standard input.
    return io.FileIO(sys.stdin.fileno(), "rb", closefd=False)


def _put_back(head: bytes, blocks: Iterator[bytes]) -> Iterator[bytes]:
    if head:
        yield head
    yield from blocks


def _without(count: int, blocks: Iterator[bytes]) -> Iterator[bytes]:
    yield next(blocks, b"")[count:]
    yield from blocks


def _gunzipped(blocks: Iterator[bytes]) -> Iterator[bytes]:
    stream = zlib.decompressobj(_WITH_HEADER)
    begun = False
    try:
        for block in blocks:
            rest = block
            while rest:
                if stream.eof:
                    # A file may have several members, and zeros behind the last.
                    rest = rest.lstrip(b"\0")
                    if rest:
                        stream = zlib.decompressobj(_WITH_HEADER)
                    continue
                begun = True
                if unpacked := stream.decompress(rest, BLOCK_BYTES):
                    yield unpacked
                rest = stream.unconsumed_tail or stream.unused_data
            while not stream.eof and (unpacked := stream.decompress(b"", BLOCK_BYTES)):
                yield unpacked
    except zlib.error as error:
        raise UnreadableError("expected gzip, found damaged bytes") from error
    if begun and not stream.eof:
        raise UnreadableError("expected the end of the gzip stream, found the file cut off")


def _unzstd(blocks: Iterator[bytes]) -> Iterator[bytes]:
    import pyarrow as pa

    file = pa.PythonFile(_Readable(blocks), mode="r")
    with pa.CompressedInputStream(file, "zstd") as unpacked:
        while True:
            try:
                block = unpacked.read(BLOCK_BYTES)
            except (OSError, pa.ArrowException) as error:
                cut = "Truncated" in str(error)
                found = "the file cut off" if cut else "damaged bytes"
                raise UnreadableError(f"expected zstd to its end, found {found}") from error
            if not block:
                return
            yield block


class _Readable:
    """Blocks as the file that Arrow reads."""

    closed = False

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        if not self._rest:
            self._rest = next(self._blocks, b"")
        given, self._rest = (self._rest, b"") if size < 0 else (self._rest[:size], self._rest[size:])
        return given

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True


def _recoded(blocks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    decoder: Any = codecs.getincrementaldecoder(encoding)()
    try:
        for block in blocks:
            yield decoder.decode(block).encode()
        yield decoder.decode(b"", final=True).encode()
    except UnicodeError as error:
        raise UnreadableError(f"expected text in {encoding}, found other bytes") from error
