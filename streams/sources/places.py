"""Where the lines of several files stand, as pairs of numbers that sort in the order of the input."""

from __future__ import annotations

from typing import Any, NamedTuple

from streams.records.refusals import Position
from streams.sources.arrived import Arrived
from streams.terminal import shown


class Place(NamedTuple):
    """The place of a line or a row: the file as the user named it, and the number in it, from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{shown(self.file)}:{self.line}"

    def as_dict(self) -> dict[str, Any]:
        """Return the place as a JSON object."""
        return {"file": self.file, "line": self.line}


class Places:
    """Numbers the files in the order in which they come."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._files: list[str] = []

    def position(self, arrived: Arrived) -> Position:
        """Return the position of what has arrived: the numbers of its file, from 0, and of its line."""
        file = arrived.file
        number = self._numbers.get(file)
        if number is None:
            number = self._numbers[file] = len(self._files)
            # A name need not be UTF-8, but what is printed and written is.
            self._files.append(file.encode(errors="surrogateescape").decode(errors="replace"))
        return number, arrived.line

    def place(self, position: Position | None) -> Place | None:
        """Return the place at a position; None if the position is not known."""
        return None if position is None else Place(self._files[position[0]], position[1])
