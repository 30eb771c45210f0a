"""Rules of labels: conditions as intervals of a value, and which rules never can apply.

A value below 0 is taken as 0, so an unknown one takes the value -1 and every condition is one closed interval.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from models.exceptions import LabelTableError

UNKNOWN: Final = -1.0
"""The value of a feature that nothing defines."""

OTHERWISE: Final = "otherwise"

_COMPARISON: Final = re.compile(r"(\w+) *(<=|>=|==|<|>) *([0-9]{1,15}(?:\.[0-9]{1,15})?)")
_PRESENCE: Final = re.compile(r"(\w+) is (known|unknown)")

Interval = tuple[float, float]
"""Least and greatest value, both included."""


class Rule(NamedTuple):
    """A label, and for each feature it depends on (by position) the least and greatest value that gives it."""

    label: str
    conditions: tuple[tuple[int, float, float], ...]


class Vocabulary:
    """The names that conditions may use.

    Args:
        names: by name, whether it is a count: whole and never unknown.
    """

    def __init__(self, names: Mapping[str, bool]) -> None:
        self._names = dict(names)
        self._positions = {name: position for position, name in enumerate(names)}
        self._counts = list(names.values())

    def rule(self, label: str, conditions: Sequence[str]) -> Rule:
        """Read the conditions of a rule; several of one feature become one interval.

        Raises:
            LabelTableError: a condition that cannot be read, names no feature, or can never be met.
        """
        box: dict[int, Interval] = {}
        for text in conditions:
            position, (least, greatest) = self._condition(text)
            known = box.get(position, (UNKNOWN, math.inf))
            box[position] = least, greatest = max(least, known[0]), min(greatest, known[1])
            if least > greatest:
                raise LabelTableError(
                    f"expected conditions that a shopper can meet, found {text!r}; correct or drop it"
                )
        return Rule(label, tuple((position, *interval) for position, interval in box.items()))

    def can_apply(self, rule: Rule, earlier: Sequence[Rule]) -> bool:
        """Whether some values meet `rule` and none of the `earlier` ones, each feature taken by itself."""
        return self._any_left({position: (least, greatest) for position, least, greatest in rule.conditions}, earlier)

    def _any_left(self, box: Mapping[int, Interval], earlier: Sequence[Rule]) -> bool:
        if not earlier:
            return True
        first, later = earlier[0], earlier[1:]
        rest = dict(box)
        for position, least, greatest in first.conditions:
            low, high = rest.get(position, (self._lowest(position), math.inf))
            if high < least or low > greatest:
                return self._any_left(box, later)
        # What lies outside the first rule, cut feature by feature into boxes of which no two overlap.
        for position, least, greatest in first.conditions:
            low, high = rest.get(position, (self._lowest(position), math.inf))
            if low < least and self._any_left({**rest, position: (low, self._before(position, least))}, later):
                return True
            if high > greatest and self._any_left({**rest, position: (self._after(position, greatest), high)}, later):
                return True
            rest[position] = max(low, least), min(high, greatest)
        return False

    def _condition(self, text: str) -> tuple[int, Interval]:
        found = _PRESENCE.fullmatch(text) or _COMPARISON.fullmatch(text)
        if found is None:
            raise LabelTableError(
                "expected `FEATURE < NUMBER` (or <=, ==, >=, >), `FEATURE is known` or `FEATURE is unknown`, "
                f"found {text!r}; correct it"
            )
        position = self._positions.get(found[1])
        if position is None:
            raise LabelTableError(
                f"expected a feature, or a name under `first_known`, `less` or `sum`, found {found[1]!r}; "
                "docs/contract.md lists them under Features"
            )
        if found.re is _PRESENCE:
            if found[2] == "known":
                return position, (0.0, math.inf)
            if self._counts[position]:
                raise LabelTableError(
                    f"expected a feature that can be unknown, found the count {found[1]!r}; write `== 0`"
                )
            return position, (UNKNOWN, UNKNOWN)
        return position, self._interval(position, found[2], float(found[3]))

    def _interval(self, position: int, comparison: str, bound: float) -> Interval:
        whole = self._counts[position]
        least = math.ceil(bound) if whole else bound
        greatest = math.floor(bound) if whole else bound
        if comparison == "==":
            return least, greatest
        if comparison == ">=":
            return least, math.inf
        if comparison == "<=":
            return 0.0, greatest
        if comparison == ">":
            return self._after(position, greatest), math.inf
        # Only the unknown value lies below 0, and no comparison with it holds.
        return 0.0, self._before(position, least)

    def _lowest(self, position: int) -> float:
        return 0.0 if self._counts[position] else UNKNOWN

    def _before(self, position: int, value: float) -> float:
        if value <= 0 or self._counts[position]:
            return value - 1
        return math.nextafter(value, 0.0)

    def _after(self, position: int, value: float) -> float:
        if value == UNKNOWN or self._counts[position]:
            return value + 1
        return math.nextafter(value, math.inf)
