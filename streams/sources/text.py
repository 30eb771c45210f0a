"""The lines of a text, each within a bound."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from streams.records.ndjson import RejectedLine
from streams.records.rejection import Reason, Rejection
from streams.settings import MAX_TOPIC_BYTES

MAX_LINE_BYTES: Final = 2 * MAX_TOPIC_BYTES
"""The longest line that is held: base64 of the largest record, and headroom."""

KEPT_BYTES: Final = MAX_TOPIC_BYTES // 2
"""First bytes that are kept of a longer line."""


class TooLong(NamedTuple):
    """A line of more than `MAX_LINE_BYTES`, by its first `KEPT_BYTES`."""

    head: bytes

    def refused(self) -> RejectedLine:
        """Return the rejection of the line."""
        detail = f"line: expected at most {MAX_LINE_BYTES} bytes, found more; its first {KEPT_BYTES} bytes are kept"
        return RejectedLine("", self.head, Rejection(Reason.TOO_LARGE, detail))


def split_lines(blocks: Iterable[bytes]) -> Iterator[bytes | TooLong]:
    """Yield the lines of a text without the line feeds that end them.

    A text that ends its lines by carriage returns alone, as its first block shows, is divided there.
    """
    waiting: list[bytes] = []
    length = 0
    old = None
    for block in blocks:
        if old is None:
            old = b"\r" in block[:-1] and b"\n" not in block
        lines = (block.replace(b"\r", b"\n") if old else block).split(b"\n")
        if len(lines) > 1:
            waiting.append(lines[0])
            yield _joined(waiting, length + len(lines[0]))
            waiting.clear()
            length = 0
            last = lines.pop()
            yield from lines[1:]
        else:
            last = lines[0]
        if length <= MAX_LINE_BYTES:
            waiting.append(last)
        length += len(last)
    if length:
        yield _joined(waiting, length)


def json_lines(blocks: Iterable[bytes]) -> Iterator[tuple[int, bytes | TooLong]]:
    """Yield the lines that are not empty, without white space around them, each with its number; the first is 1."""
    for number, line in enumerate(split_lines(blocks), 1):
        if isinstance(line, TooLong):
            yield number, line
        elif stripped := line.strip(b" \t\r\n"):
            yield number, stripped


def _joined(pieces: list[bytes], length: int) -> bytes | TooLong:
    whole = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    return TooLong(whole[:KEPT_BYTES]) if length > MAX_LINE_BYTES else whole
