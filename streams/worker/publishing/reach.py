"""How far a log is known without a gap."""

from __future__ import annotations


class Reach:
    """The offset up to which every record of a log is known; records beyond a gap wait until the gap is known too.

    Args:
        offset: of the last record known; -1 for none.

    Attributes:
        offset: of the last record before which there is no gap.
    """

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self._beyond: list[tuple[int, int]] = []

    def add(self, first: int, last: int) -> None:
        """Take note that the records from `first` to `last`, both included, are known."""
        beyond: list[tuple[int, int]] = []
        for start, end in sorted((*self._beyond, (first, last))):
            if start <= self.offset + 1:
                self.offset = max(self.offset, end)
            elif beyond and start <= beyond[-1][1] + 1:
                beyond[-1] = beyond[-1][0], max(end, beyond[-1][1])
            else:
                beyond.append((start, end))
        self._beyond = beyond
