"""Lists of label rules as one function of a feature row."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

from models.labels.rules import UNKNOWN, Rule


def compile_rules(
    lists: Sequence[Sequence[Rule]], derived: Sequence[str], nullable: Collection[int], width: int
) -> Callable[[Sequence[Any]], tuple[str, ...]]:
    """Return a function from a row to the label of the first rule of each list that holds; the last always holds.

    The function is one generated expression: a loop over the rules took three times as long for a record.

    Args:
        lists: rules, of which the last of each list has no conditions.
        derived: expressions over the row `r`, the values at the positions from `width` on.
        nullable: positions of values that are None when unknown.
        width: of the row.
    """
    names = [f"r[{position}]" for position in range(width)] + [f"d{number}" for number in range(len(derived))]

    def condition(position: int, least: float, greatest: float) -> str:
        name = names[position]
        if greatest == UNKNOWN:
            return f"{name} is None"
        parts = [f"{name} is not None"] if position in nullable else []
        parts += [f"{name} >= {least!r}"] if least > 0 else []
        parts += [f"{name} <= {greatest!r}"] if greatest < math.inf else []
        return " and ".join(parts) or "True"

    def chain(rules: Sequence[Rule]) -> str:
        chosen = [(rule.label, " and ".join(condition(*each) for each in rule.conditions)) for rule in rules]
        return "".join(f"{label!r} if {holds} else " for label, holds in chosen[:-1]) + repr(chosen[-1][0])

    values = "".join(f"({name} := {expression}), " for name, expression in zip(names[width:], derived, strict=True))
    # Of the table's text only labels of the closed lists, positions and numbers get in here.
    decide: Callable[[Sequence[Any]], tuple[str, ...]] = eval(
        f"lambda r: ({values}{''.join(f'{chain(rules)}, ' for rules in lists)})[{len(derived)}:]"
    )
    return decide


def first_known(positions: Sequence[int]) -> str:
    """Return the expression for the first value that is known, of some that may not be."""
    *others, last = positions
    return "".join(f"r[{position}] if r[{position}] is not None else " for position in others) + f"r[{last}]"


def less(positions: Sequence[int]) -> str:
    """Return the expression for a count less others, 0 at least: what is left of it."""
    first, *others = positions
    return f"max(r[{first}]{''.join(f' - r[{position}]' for position in others)}, 0)"


def added(positions: Sequence[int]) -> str:
    """Return the expression for the sum of some counts."""
    return " + ".join(f"r[{position}]" for position in positions)
