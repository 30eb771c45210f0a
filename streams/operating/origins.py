"""The lines that published records and the letters of rejected lines come from, at 8 bytes each."""

from __future__ import annotations

from array import array
from bisect import bisect
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from streams.broker.publisher import Written
from streams.records.refusals import Position

_LINE_BITS: Final = 40
"""Bits of a line's number. The other 24 bits number the file."""

_LINE: Final = (1 << _LINE_BITS) - 1


class Origins:
    """Remembers the position of each record's line, by topic, partition and offset."""

    def __init__(self) -> None:
        self._rejected: defaultdict[int, array[int]] = defaultdict(lambda: array("Q"))
        # Runs of offsets without a gap: the first offset of each, and the packed positions.
        self._runs: defaultdict[tuple[str, int], list[tuple[int, array[int]]]] = defaultdict(list)

    def note(self, topic: str, partition: int, written: Written, positions: array[int]) -> None:
        """Remember the packed positions of records that lie in a partition of a topic.

        Positions are left out if it is not known where exactly their records lie.
        """
        if not written.together:
            return
        runs = self._runs[topic, partition]
        if runs and runs[-1][0] + len(runs[-1][1]) == written.first:
            runs[-1][1].extend(positions)
        else:
            runs.append((written.first, positions))

    def note_rejected(self, partition: int, position: Position) -> None:
        """Remember the position of a rejected line, whose letter goes to a partition of the dead letters."""
        self._rejected[partition].append(packed(position))

    def rejected(self, partition: int) -> Iterator[Position]:
        """Yield the positions of the rejected lines whose letters went to a partition, in the order of the letters."""
        return map(unpacked, self._rejected.get(partition, ()))

    def position(self, topic: str, partition: int, offset: int) -> Position | None:
        """Return the position of the line behind a record; None if it is not known."""
        runs = self._runs.get((topic, partition), [])
        number = bisect(runs, offset, key=lambda run: run[0]) - 1
        if number < 0:
            return None
        first, positions = runs[number]
        return unpacked(positions[offset - first]) if offset - first < len(positions) else None


def packed(position: Position) -> int:
    """Return a position as an integer of 64 bits."""
    file, line = position
    return file << _LINE_BITS | min(line, _LINE)


def unpacked(number: int) -> Position:
    """Return the position that `packed` has made a number of."""
    return number >> _LINE_BITS, number & _LINE
