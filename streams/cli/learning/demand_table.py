"""The table that `wherewithal demand` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.terminal import shown

_WIDTH: Final = 110
_NAME: Final = 24
_LONG: Final = 1e6


def print_table(summary: Mapping[str, Any], order: Sequence[str], told: Mapping[str, Mapping[str, Any]]) -> None:
    """Print rows and a line about them.

    Args:
        summary: of the run, as its JSON has it.
        order: names, in the order of the rows.
        told: the block of each name.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column(summary["by"])
    for name in ("sold a day", "trend", "conversion", "next 7 days", "next 28 days"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in order:
        row = told[name]
        share = row["conversion_7d"]["value"]
        table.add_row(
            Text(_cut(shown(name)), no_wrap=True),
            _number(row["units_per_day_30d"]),
            _ratio(row["trend"]),
            "" if share is None else f"{share:.1%}",
            _sum(row["forecast"], 7),
            _sum(row["forecast"], 28),
        )
    if order:
        console = Console(highlight=False)
        # Below this width the longest numbers would break. A narrower terminal wraps lines, and a file has no width.
        console.width = max(console.width, _WIDTH)
        console.print(table)
        print("sold a day in 30 days; trend of 7 days to the 23 before, * where 95 % leave out 1;")
        print("conversion in 7 days; sums of units with intervals of 80 %, of a mean alone too few errors are known")
    else:
        print(f"no event names a {summary['by']}")
    untold = ", ".join(f"{count:,} {reason.replace('_', ' ')}" for reason, count in summary["untold"].items())
    print(
        f"{summary['series']:,} series from {summary['applied']:,} of {summary['events']:,} events, told from "
        f"{summary['first_day']} on, in {summary['seconds']:,.1f} s" + (f"; nothing told of {untold}" if untold else "")
    )
    if summary["published"] is not None:
        print(f"{summary['published']:,} forecasts published")


def _ratio(trend: Mapping[str, Any]) -> str:
    if trend["reason"] is not None:
        return str(trend["reason"]).replace("_", " ")
    low, high = trend["low"], trend["high"]
    told = "*" if low > 1 or (high is not None and high < 1) else " "
    return ("begun" if trend["ratio"] is None else f"x {trend['ratio']:,.2f}") + told


def _sum(forecast: Mapping[str, Any], days: int) -> str:
    sums = forecast[f"units_{days}d"]
    if sums is None:
        return str(forecast["reason"]).replace("_", " ")
    if sums["low_80"] is None:
        return _number(sums["mean"])
    return f"{_number(sums['mean'])} ({_number(sums['low_80'])}-{_number(sums['high_80'])})"


def _cut(name: str) -> str:
    return name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"


def _number(value: float) -> str:
    if value >= _LONG:
        return f"{value:.1e}"
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"
