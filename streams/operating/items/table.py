"""The table of items: of the command `items`, and of the demo while it runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.operating.items.ordering import NAMED, TREND, number_at
from streams.operating.narrow_tables import Column, fitting
from streams.terminal import literal

_TITLE_WIDTH: Final = 22
_WORD_WIDTH: Final = 14
"""Cells of an id and of a category, and those of a title: with the numbers beside them, a table fits into 80."""

_COLUMNS: Final = (
    Column("item", 0),
    Column("title", 1),
    Column("category", 6),
    Column("units 7d", 2, right=True),
    Column("conv.", 3, right=True),
    Column("polarity", 4, right=True),
    Column("trend", 5, right=True),
    Column("revenue 7d", 7, right=True),
    Column("risk", 8, right=True),
)


def items_table(console: Console, title: str, records: Iterable[Mapping[str, Any]]) -> Table:
    """Return a table of items no wider than the console, in the order of their records."""
    return fitting(console, title, _COLUMNS, [_cells(record) for record in records])


def _cells(record: Mapping[str, Any]) -> tuple[str | Text, ...]:
    return (
        _cut(record["item_id"], _WORD_WIDTH),
        _cut(record["title"], _TITLE_WIDTH),
        _cut(record["category"], _WORD_WIDTH),
        written(record["units_7d"], ",d"),
        written(record["conversion_7d"], ".1%"),
        written(record["polarity_30d"], "+.2f"),
        written(number_at(record, TREND), ".2f"),
        written(record["revenue_7d"], ",.2f"),
        written(number_at(record, NAMED["risk"]), ".0f"),
    )


def written(number: float | None, form: str) -> str:
    """Write a number of a record, or that there is none."""
    return "-" if number is None else format(number, form)


def _cut(text: str | None, width: int) -> Text:
    cut = literal(text or "-")
    cut.truncate(width, overflow="ellipsis")
    return cut
