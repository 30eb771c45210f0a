"""The table of items: of the command `items`, and of the demo while it runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.operating.items.ordering import number_at
from streams.operating.narrow_tables import Column, fitting
from streams.terminal import literal

_TITLE_WIDTH: Final = 22
_WORD_WIDTH: Final = 14
"""Cells of an id and of a category, and those of a title: with the numbers beside them, a table fits into 80."""

_Cells = tuple[Column, str, str]
"""A column of numbers, the field that it shows, and how it is written."""

_NUMBERS: Final[tuple[_Cells, ...]] = (
    (Column("units 7d", 2, right=True), "units_7d", ",d"),
    (Column("conv.", 3, right=True), "conversion_7d", ".1%"),
    (Column("polarity", 4, right=True), "polarity_30d", "+.2f"),
    (Column("trend", 5, right=True), "demand.trend.ratio", ".2f"),
    (Column("revenue 7d", 7, right=True), "revenue_7d", ",.2f"),
    (Column("risk", 8, right=True), "risk.score", ".0f"),
)


def items_table(console: Console, title: str, records: Iterable[Mapping[str, Any]], by: str | None = None) -> Table:
    """Return a table of items no wider than the console, in the order of their records.

    Args:
        console: to print to.
        title: above the table.
        records: the newest of each item.
        by: the field that orders them, which is shown however narrow the console is; None for no field in particular.
    """
    shown = {field: (column, field, form) for column, field, form in _NUMBERS}
    if by is not None:
        column, _, form = shown.pop(by, (Column(by, 0, right=True), by, ",.4g"))
        shown = {by: (replace(column, rank=0), by, form)} | shown
    numbers = shown.values()
    columns = (Column("item", 0), Column("title", 1), Column("category", 6), *(cells[0] for cells in numbers))
    return fitting(console, title, columns, [_cells(record, numbers) for record in records])


def _cells(record: Mapping[str, Any], numbers: Iterable[_Cells]) -> tuple[str | Text, ...]:
    return (
        _cut(record["item_id"], _WORD_WIDTH),
        _cut(record.get("title"), _TITLE_WIDTH),
        _cut(record.get("category"), _WORD_WIDTH),
        *(written(number_at(record, field), form) for _, field, form in numbers),
    )


def written(number: float | None, form: str) -> str:
    """Write a number of a record, or that there is none."""
    return "-" if number is None else format(number, form)


def _cut(text: str | None, width: int) -> Text:
    cut = literal(text or "-")
    cut.truncate(width, overflow="ellipsis")
    return cut
