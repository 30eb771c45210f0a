"""What was refused, counted by kind: the reason and the detail, with the first and the last position of each."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from streams.exceptions import RefusedInputError

MAX_KINDS: Final = 1_000
"""Kinds that are told apart. Details are few, but a hostile input may have a new one in every line."""

FURTHER: Final = "further details, of which too many differ to tell them apart"
"""The detail under which a reason's refusals count once `MAX_KINDS` are told apart."""

DEFAULT_SHARE: Final = 0.5
"""The share of the input that may be refused: more is no accident of single lines, but another kind of file."""

Position = tuple[int, int]
"""A position in the input: the number of a file and of a line in it, or a partition and an offset."""

_NOWHERE: Final[Position] = sys.maxsize, 0

_DIGITS: Final = re.compile("[0-9]+")


@dataclass(slots=True)
class Kind:
    """Refusals of one kind.

    Attributes:
        detail: that of the one counted first; the others may name other positions in it.
        first, last: their least and greatest position; None if none is known.
    """

    reason: str
    detail: str
    count: int = 0
    first: Position | None = None
    last: Position | None = None


class Refusals:
    """Counts refusals, in any order. Two details that differ in their digits alone are one kind.

    Attributes:
        total: refusals of all kinds.
    """

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str], Kind] = {}
        self.total = 0

    def add(self, reason: str, detail: str, position: Position | None) -> None:
        """Count one refusal; None is a position that is not known."""
        name = reason, _DIGITS.sub("0", detail)
        if name not in self._kinds and len(self._kinds) >= MAX_KINDS:
            name, detail = (reason, FURTHER), FURTHER
        kind = self._kinds.setdefault(name, Kind(reason, detail))
        kind.count += 1
        self.total += 1
        if position is not None:
            kind.first = position if kind.first is None else min(kind.first, position)
            kind.last = position if kind.last is None else max(kind.last, position)

    def __len__(self) -> int:
        return len(self._kinds)

    def __iter__(self) -> Iterator[Kind]:
        """Yield the kinds, the most frequent first; of equally frequent ones, the one that comes first in the input."""
        return iter(sorted(self._kinds.values(), key=lambda kind: (-kind.count, kind.first or _NOWHERE)))


def check_share(refusals: Refusals, read: int, share: float) -> None:
    """Check that no more than a share, 0 to 1, of the lines read is refused.

    Raises:
        RefusedInputError: more is.
    """
    # A quotient is rounded once, so that 29 of 100 are not more than 0.29; a product would be.
    if read and refusals.total / read > share:
        raise RefusedInputError(
            f"expected at most {share:.12g} of the lines refused (--max-refused), found {refusals.total:,} of "
            f"{read:,}: mend the file, or raise --max-refused"
        )
