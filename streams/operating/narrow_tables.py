"""A table that leaves out whole columns where the terminal is narrow, rather than cut or wrap a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

_UNBOUNDED: Final = 10_000
"""Columns of a terminal on which every table fits, to learn how wide a table would like to be."""


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        title: at its head.
        rank: of the columns that do not fit, the one with the greatest rank is left out first.
        right: whether it is aligned to the right, as numbers are.
    """

    title: str
    rank: int
    right: bool = False


def fitting(console: Console, title: str, columns: Sequence[Column], rows: Sequence[Sequence[str | Text]]) -> Table:
    """Return a table no wider than the console, as far as at least one column fits.

    Args:
        console: to print to.
        title: above the table.
        columns: n, from left to right.
        rows: n cells each. A string is printed as it is, without markup.
    """
    kept = sorted(range(len(columns)), key=lambda place: columns[place].rank)
    unbounded = console.options.update(width=_UNBOUNDED)
    while True:
        table = _table(title, columns, rows, sorted(kept))
        if len(kept) == 1 or Measurement.get(console, unbounded, table).maximum <= console.width:
            return table
        kept.pop()


def _table(title: str, columns: Sequence[Column], rows: Sequence[Sequence[str | Text]], kept: Sequence[int]) -> Table:
    table = Table(title=Text(title), title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for column in (columns[place] for place in kept):
        table.add_column(Text(column.title), no_wrap=True, justify="right" if column.right else "left")
    for row in rows:
        cells = (row[place] for place in kept)
        table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in cells))
    return table
