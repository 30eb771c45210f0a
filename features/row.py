"""From a catalogue to the function that makes the row of a state at an instant."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Sequence
from typing import Any

from features.expressions import sums_of
from features.observation import MICRO
from features.scalars import Scalar
from features.tiles import DAY
from features.windows import LEVELS, Level

Value = int | float | None


def row_source(scalars: Sequence[Scalar]) -> str:
    """Return the Python source of the function that `generated` makes."""
    levels = zip(("by_five_minutes", "by_hour", "by_day"), LEVELS, strict=True)
    return "\n".join(
        [
            "def row(state, instant):",
            *(f"    {_names(level)} = state.{attribute}.sums(instant)" for attribute, level in levels),
            "    return (",
            *(f"        {scalar.value.source},  # {scalar.name}" for scalar in scalars),
            "    )",
            "",
        ]
    )


def generated(scalars: Sequence[Scalar], module: str) -> Callable[[Any, int], tuple[Value, ...]]:
    """Return the function of a state and an instant, ms, that returns the value of every scalar in their order.

    Args:
        scalars: of one entity.
        module: the file of the module that calls it.
    """
    # Beside that module, so that whatever looks at files, the benchmarks' guard for one, counts it to this package.
    source, filename = row_source(scalars), module.removesuffix(".py") + ".generated.py"
    # Where tracebacks look for lines.
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    found: dict[str, Any] = {}
    exec(compile(source, filename, "exec"), {"MICRO": MICRO, "DAY": DAY}, found)
    row: Callable[[Any, int], tuple[Value, ...]] = found["row"]
    return row


def _names(level: Level) -> str:
    return f"({', '.join(sums_of(window.name) for window in level.windows)},)"
