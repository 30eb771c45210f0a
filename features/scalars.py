"""What a line of a catalogue of scalar features says: a name, a type, a value, and what scorers do to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from features.expressions import Expression
from features.observation import Source, source_of
from features.windows import WINDOWS

COUNT: Final = True
NUMBER: Final = False
"""The two types: an integer that is never null, and a float64 that may be."""


class Transform(StrEnum):
    """What a scorer does to a feature before it standardises it."""

    IDENTITY = "identity"
    """For what is bounded: ratios and ratings."""
    SIGNED_LOG1P = "signed_log1p"
    """For what is heavy-tailed: counts, money and days."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """One scalar feature.

    Attributes:
        name: as it is served.
        integer: whether it is an integer count (`COUNT`), else a float64, null when unset (`NUMBER`).
        value: what it is, as of T.
        transform: for scorers.
    """

    name: str
    integer: bool
    value: Expression
    transform: Transform = Transform.SIGNED_LOG1P

    @property
    def sources(self) -> frozenset[Source]:
        """The topics whose events decide it."""
        return frozenset(map(source_of, self.value.kinds))


def per_window(name: str, integer: bool, value: Callable[[str], Expression]) -> Iterator[Scalar]:
    """Yield one feature for each window; the window's name replaces the W of `name`."""
    for window in WINDOWS:
        yield Scalar(name.removesuffix("W") + window.name, integer, value(window.name))
