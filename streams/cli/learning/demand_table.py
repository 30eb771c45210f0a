"""The table that `wherewithal demand` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.terminal import shown


def print_table(summary: Mapping[str, Any], order: Sequence[str], told: Mapping[str, Mapping[str, Any]]) -> None:
    """Print rows and a line about them.

    Args:
        summary: of the run, as its JSON has it.
        order: names, in the order of the rows.
        told: the block of each name.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column(summary["by"])
    for name in (
        "sold a day\n7 d",
        "\n30 d",
        "trend\n95 %",
        "conversion\n7 d",
        "next 7 days\n80 %",
        "next 28 days\n80 %",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    for name in order:
        row = told[name]
        forecast, trend = row["forecast"], row["trend"]
        share = row["conversion_7d"]["value"]
        table.add_row(
            Text(shown(name), overflow="fold"),
            f"{row['units_per_day_7d']:,.2f}",
            f"{row['units_per_day_30d']:,.2f}",
            _ratio(trend),
            "" if share is None else f"{share:.1%}",
            _sum(forecast, 7),
            _sum(forecast, 28),
        )
    Console(highlight=False).print(table)
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
    ends = [f"{trend[end]:,.2f}" if trend[end] is not None else "?" for end in ("low", "high")]
    value = "new" if trend["ratio"] is None else f"x {trend['ratio']:,.2f}"
    return f"{value} ({ends[0]} to {ends[1]})"


def _sum(forecast: Mapping[str, Any], days: int) -> str:
    sums = forecast[f"units_{days}d"]
    if sums is None:
        return str(forecast["reason"]).replace("_", " ")
    if sums["low_80"] is None:
        return f"{sums['mean']:,.1f}"
    return f"{sums['mean']:,.1f} ({sums['low_80']:,.1f} to {sums['high_80']:,.1f})"
