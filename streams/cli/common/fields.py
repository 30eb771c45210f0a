"""A record or row of many fields, as a table of two columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from streams.terminal import literal


def print_fields(what: str, title: str, row: Mapping[str, Any]) -> None:
    """Print each field of a row on a line of its own; a block's fields stand behind its name and a dot.

    Args:
        what: the fields are, at the head of their column.
        title: above the table.
        row: of JSON.
    """
    table = Table(what, "value", title=title)
    for name, value in _flat(row):
        table.add_row(literal(name), literal(value))
    Console().print(table)


def _flat(row: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for name, value in row.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", _written(value)


def _written(value: Any) -> str:
    if isinstance(value, list) and len(value) > 1 and all(isinstance(part, float) for part in value):
        return f"[{len(value)} numbers]"
    return "-" if value is None else str(value)
