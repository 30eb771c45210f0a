"""JSON objects over several lines: the elements of an array, or one object after the other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from streams.sources.exceptions import UnreadableError
from streams.sources.text import MAX_LINE_BYTES

# A string that does not end within what was read so far leaves the group empty.
_MARK: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:(")|\\?\Z)|[][{},]', re.DOTALL)
_STEP: Final = {b"{": 1, b"[": 1, b"}": -1, b"]": -1}
_BLANK: Final = b" \t\r\n"


def split_documents(blocks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield the elements of JSON arrays and the objects outside of them, as written, each with the line it begins on.

    Whether an element is valid JSON is left to its reader.

    Raises:
        UnreadableError: the text ends within an array or object, or one is larger than `MAX_LINE_BYTES`.
    """
    splitter = _Splitter()
    for block in blocks:
        yield from splitter.take(block)
    yield from splitter.finish()


class _Splitter:
    """Goes through a text once; it holds no more than the element that is not finished."""

    def __init__(self) -> None:
        self._text = b""
        self._start = 0
        """Where the element begins."""
        self._at = 0
        """Up to where marks were looked for."""
        self._depth = 0
        self._in_array = False
        """Whether the outermost bracket is an array, whose elements are yielded."""
        self._line = 1

    def take(self, block: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield the elements that end in a block."""
        self._text = self._text[self._start :] + block
        self._at -= self._start
        self._start = 0
        for mark in _MARK.finditer(self._text, self._at):
            sign = mark[0]
            if sign[:1] == b'"':
                if mark[1] is None:
                    self._at = mark.start()
                    break
            else:
                yield from self._step(sign, mark.start(), mark.end())
            self._at = mark.end()
        if len(self._text) - self._start > MAX_LINE_BYTES:
            raise UnreadableError(f"expected a JSON object of at most {MAX_LINE_BYTES} bytes, found a larger one")

    def finish(self) -> Iterator[tuple[int, bytes]]:
        """Yield what stands behind the last element.

        Raises:
            UnreadableError: an array or object does not end.
        """
        if self._depth:
            raise UnreadableError("expected the end of a JSON array or object, found the file cut off")
        yield from self._cut(len(self._text), len(self._text))

    def _step(self, sign: bytes, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        base = 1 if self._in_array else 0
        if sign == b",":
            if self._depth == base:
                yield from self._cut(start, end)
            return
        if not self._depth and sign in b"[{":
            self._in_array = sign == b"["
            yield from self._cut(start, end if self._in_array else start)
        self._depth = max(0, self._depth + _STEP[sign])
        if not self._depth:
            # The bracket that closes an array is no part of its last element.
            yield from self._cut(start if self._in_array else end, end)
            self._in_array = False

    def _cut(self, end: int, then: int) -> Iterator[tuple[int, bytes]]:
        """Yield what stands between the start and `end`, if anything does; go on at `then`."""
        text = self._text[self._start : end]
        element = text.strip(_BLANK)
        if element:
            yield self._line + text[: len(text) - len(text.lstrip(_BLANK))].count(b"\n"), element
        self._line += self._text.count(b"\n", self._start, then)
        self._start = then
