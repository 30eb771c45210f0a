"""What a feature is made of: sums of windows and fields of the state, put together.

A value is an expression rather than a function: `features.row` makes one function of all of them, which is as fast as
one written by hand. Each class here has a `source`: Python, of names that the generated function defines, in
parentheses where it stands inside another. What may be null stands inside no other, which the types say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from features.columns import Tiles
from features.observation import Kind


class Expression(Protocol):
    """The value of a feature, as of T."""

    @property
    def source(self) -> str:
        """The Python expression for it."""

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds of events that decide it."""


@dataclass(frozen=True, slots=True)
class Sum:
    """A column of the tiles, summed over a window; an integer.

    Attributes:
        tiles: of the entity.
        column: of the tiles.
        window: the name of one of `features.windows.WINDOWS`.

    Raises:
        ValueError: the tiles of the window do not keep the column.
    """

    tiles: Tiles
    column: str
    window: str

    def __post_init__(self) -> None:
        if self.column not in self.tiles.layout_of(self.window).names:
            raise ValueError(f"expected a column that the tiles of {self.window} keep, found {self.column!r}")

    @property
    def source(self) -> str:
        """The place of the column in the sums of the window."""
        return f"{sums_of(self.window)}[{self.tiles.layout_of(self.window).place(self.column)}]"

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kind that the column sums."""
        return frozenset({self.tiles.kind_of(self.column)})


@dataclass(frozen=True, slots=True)
class Kept:
    """What the state keeps of a whole life; an integer.

    Attributes:
        attribute: of the state, never None.
        kinds: of the events that decide it.
    """

    attribute: str
    kinds: frozenset[Kind]

    @property
    def source(self) -> str:
        """The attribute of the state."""
        return f"state.{self.attribute}"


@dataclass(frozen=True, slots=True)
class Difference:
    """One sum less another; an integer."""

    minuend: Sum
    subtrahend: Sum

    @property
    def source(self) -> str:
        """The difference, never null."""
        return f"({self.minuend.source} - {self.subtrahend.source})"

    @property
    def kinds(self) -> frozenset[Kind]:
        """Those of both sums."""
        return self.minuend.kinds | self.subtrahend.kinds


@dataclass(frozen=True, slots=True)
class Units:
    """Micro-units in units of money or rating; a float.

    Attributes:
        micros: an integer value.
    """

    micros: Sum | Kept | Difference

    @property
    def source(self) -> str:
        """The quotient, never null."""
        return f"({self.micros.source} / MICRO)"

    @property
    def kinds(self) -> frozenset[Kind]:
        """Those of the integer value."""
        return self.micros.kinds


@dataclass(frozen=True, slots=True)
class Half:
    """Half of a value; a float.

    Attributes:
        whole: never null.
    """

    whole: Units

    @property
    def source(self) -> str:
        """The half, never null."""
        return f"({self.whole.source} / 2)"

    @property
    def kinds(self) -> frozenset[Kind]:
        """Those of the whole."""
        return self.whole.kinds


@dataclass(frozen=True, slots=True)
class Ratio:
    """One value divided by another; a float, null where the divisor is 0."""

    dividend: Sum | Kept | Units | Half
    divisor: Sum | Kept | Units

    @property
    def source(self) -> str:
        """The quotient, or null."""
        return f"{self.dividend.source} / {self.divisor.source} if {self.divisor.source} else None"

    @property
    def kinds(self) -> frozenset[Kind]:
        """Those of both values."""
        return self.dividend.kinds | self.divisor.kinds


@dataclass(frozen=True, slots=True)
class Shrunk:
    """A mean that is drawn towards 0 where it is of few; a float, null where it is of none.

    The mean of n values with `pseudo` zeros beside them: the posterior mean of a normal prior around 0 that weighs as
    much as `pseudo` values (Gelman et al., Bayesian Data Analysis, 3rd ed., section 2.5).

    Attributes:
        total: the sum of the values.
        count: n.
        pseudo: zeros beside them.
    """

    total: Units
    count: Sum
    pseudo: int

    @property
    def source(self) -> str:
        """The mean, or null."""
        return f"{self.total.source} / ({self.count.source} + {self.pseudo}) if {self.count.source} else None"

    @property
    def kinds(self) -> frozenset[Kind]:
        """Those of sum and count."""
        return self.total.kinds | self.count.kinds


@dataclass(frozen=True, slots=True)
class DaysSince:
    """Days from a time that the state keeps to T; a float, null where there is none.

    Attributes:
        attribute: of the state, ms or None.
        kinds: of the events that decide it.
    """

    attribute: str
    kinds: frozenset[Kind]

    @property
    def source(self) -> str:
        """The days, or null."""
        return f"None if state.{self.attribute} is None else (instant - state.{self.attribute}) / DAY"


def sums_of(window: str) -> str:
    """Return the name that the sums of a window have in `source`."""
    return f"sums_{window}"
