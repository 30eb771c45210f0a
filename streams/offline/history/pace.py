"""How far the two passes over a history are."""

from __future__ import annotations

from streams.progress import Progress


class Pace:
    """Counts what is read and folded of a history.

    Args:
        progress: told of each step; None for nobody.
        packed_bytes: that reading the files goes through; None if not known.
    """

    def __init__(self, progress: Progress | None, packed_bytes: int | None) -> None:
        self._progress = progress or _say_nothing
        self._packed_bytes = packed_bytes
        self._bytes = 0
        self._events = self._folded = 0
        self._texts = self._texts_read = 0

    def read(self, count: int) -> None:
        """Count bytes of the files as read."""
        self._bytes += count
        self._progress("bytes read", self._bytes, self._packed_bytes)

    def expect(self, text: str) -> None:
        """Count an event that is to be folded, and its text if it has one."""
        self._events += 1
        self._texts += bool(text)

    def texts_read(self, count: int) -> None:
        """Count events whose texts are read."""
        self._texts_read += count
        self._progress("texts read", self._texts_read, self._texts)

    def folded(self, count: int) -> None:
        """Count events as folded."""
        self._folded += count
        self._progress("events folded", self._folded, self._events)


def _say_nothing(_what: str, _done: int, _of: int | None) -> None:
    pass
