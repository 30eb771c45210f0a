"""`wherewithal demand`: how items or categories sell and will sell, from files of events, and how well that is told."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from features.tiles import DAY
from streams.cli.common.arguments import as_of_instant, check_outputs, load_cluster_settings, whole_number
from streams.cli.common.progress import reporting
from streams.cli.common.refusals import add_max_refused, as_json, print_refused
from streams.cli.common.sources import (
    FILES_HELP,
    add_source_arguments,
    left_out_as_json,
    print_left_out,
    source_options,
)
from streams.cli.learning.demand_table import print_table
from streams.exceptions import ConfigurationError, RefusedInputError
from streams.settings import Settings, load_settings

if TYPE_CHECKING:
    from streams.offline.demand.sales import Daily, Sales

REPORT: Final = Path("docs/report")
ITEM: Final = "item"
CATEGORY: Final = "category"
_NAMES: Final = {ITEM: "item_id", CATEGORY: "category"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `demand`."""
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help=f"{FILES_HELP}; in order of arrival")
    parser.add_argument("--by", choices=list(_NAMES), default=ITEM, help="what sells (default: item)")
    parser.add_argument(
        "--as-of", metavar="TIME", help="the day told first is its day, UTC (default: that of the newest event)"
    )
    parser.add_argument(
        "--horizon", type=int, choices=(7, 28), default=28, help="days by which the table is ordered (default: 28)"
    )
    parser.add_argument("--top", type=whole_number(1), default=20, metavar="N", help="rows of the table (default: 20)")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="write every row as NDJSON; a folder for --backtest"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw those that will sell most, as SVG")
    parser.add_argument("--publish", action="store_true", help="send the forecasts of items to the item stage")
    parser.add_argument(
        "--backtest",
        action="store_true",
        help=f"hold forecasts to a year of real sales instead, and write the report (default: {REPORT})",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_max_refused(parser)
    add_source_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Tell demand, or judge how it is told.

    Raises:
        ConfigurationError: options that do not go together, or files that cannot be used.
        RefusedInputError: too much is refused, or there is no event that counts.
    """
    if arguments.backtest:
        return _backtest(arguments)
    settings = _checked(arguments)
    options = source_options(arguments)
    as_of = None if arguments.as_of is None else as_of_instant(arguments.as_of)
    from streams.offline.demand.sales import Sales

    sales, started = Sales(settings, options), time.monotonic()
    with reporting() as report:
        try:
            sales.read(arguments.files, report, arguments.max_refused, as_of)
        except RefusedInputError:
            print_refused(sales.refusals, sales.places, sys.stderr)
            raise
        if sales.newest is None:
            raise RefusedInputError(_nothing(sales, arguments.as_of))
        first_day = (sales.newest if as_of is None else as_of) // DAY
        known = sales.by_item(first_day) if arguments.by == ITEM else sales.by_category(first_day)
        # The library takes two seconds to import, which a wrong argument or --help should not cost.
        from streams.offline.demand.forecasting import forecasts

        told = forecasts(known, first_day, report)
    order = _order(told, arguments.horizon)
    name = _NAMES[arguments.by]
    if arguments.output is not None:
        arguments.output.write_bytes(b"".join(orjson.dumps({name: key, **told[key]}) + b"\n" for key in sorted(told)))
    if arguments.plot is not None:
        _plot(arguments.plot, order, known, told)
    published = _publish(settings, first_day * DAY, told) if arguments.publish else None
    summary = {
        "by": arguments.by,
        "first_day": _day(first_day),
        "events": sales.events,
        "applied": sales.applied,
        "series": len(told),
        "untold": dict(Counter(row["forecast"]["reason"] for row in told.values() if row["forecast"]["reason"])),
        "published": published,
        "seconds": round(time.monotonic() - started, 3),
        "refused": as_json(sales.refusals, sales.places),
        "left_out": left_out_as_json(options),
    }
    if arguments.json:
        print(orjson.dumps(summary | {"demand": [{name: key, **told[key]} for key in order]}).decode())
    else:
        print_table(summary, order[: arguments.top], told)
        print_refused(sales.refusals, sales.places)
        print_left_out(options)
    return 0


def _checked(arguments: argparse.Namespace) -> Settings:
    """Return the settings, once the options are known to go together."""
    if not arguments.files:
        raise ConfigurationError("FILE: expected a file or folder of events, or --backtest, found neither")
    if arguments.publish and arguments.by != ITEM:
        raise ConfigurationError("--publish: expected --by item, for a category has no record; leave one of them out")
    if arguments.plot is not None and arguments.plot.suffix.lower() != ".svg":
        raise ConfigurationError("--plot: expected a name that ends in .svg, found another")
    check_outputs([path for path in (arguments.output, arguments.plot) if path is not None], arguments.files)
    if not arguments.publish:
        return load_settings()
    settings = load_cluster_settings("to publish to")
    if not settings.items:
        raise ConfigurationError(
            "--publish: expected a deployment that keeps items, found WHEREWITHAL_ITEMS=false: set it to true"
        )
    return settings


def _nothing(sales: Sales, as_of: str | None) -> str:
    until = "" if as_of is None else f" up to {as_of}"
    return (
        f"expected a click or a review{until}, found none among {sales.events:,} events: check that the files hold any"
    )


def _publish(settings: Settings, made_at: int, told: Mapping[str, Mapping[str, Any]]) -> int:
    from streams.offline.demand.forecasting import FORECAST
    from streams.operating.forecast_publishing import publish_forecasts

    made = {name: {key: row["forecast"][key] for key in FORECAST} for name, row in told.items()}
    return asyncio.run(publish_forecasts(settings, made_at, made))


def _order(told: Mapping[str, Mapping[str, Any]], horizon: int) -> list[str]:
    """Return the names, those first that will sell most; those of which nothing is told come last."""

    def place(name: str) -> tuple[float, float, str]:
        sums = told[name]["forecast"][f"units_{horizon}d"]
        return 1.0 if sums is None else -sums["mean"], -told[name]["units_per_day_30d"], name

    return sorted(told, key=place)


def _plot(path: Path, order: list[str], known: Mapping[str, Daily], told: Mapping[str, Mapping[str, Any]]) -> None:
    from streams.offline.demand.plot import MOST, write_plot

    write_plot(path, {name: (known[name].units, told[name]["forecast"]) for name in order[:MOST]})


def _day(day: int) -> str:
    return datetime.fromtimestamp(day * DAY // 1000, UTC).date().isoformat()


def _backtest(arguments: argparse.Namespace) -> int:
    if arguments.files or arguments.plot is not None or arguments.publish or arguments.as_of is not None:
        raise ConfigurationError("--backtest: expected --output and --json at most, found files or other options")
    output = arguments.output or REPORT
    from streams.offline.demand.backtest import backtest
    from streams.offline.demand.journey import journey
    from streams.offline.demand.page import page, write_report

    with reporting() as report:
        found = journey(report)
        document = backtest({"products": found.products, "categories": found.categories}, report)
    document = write_report(document, found, output)
    print(orjson.dumps(document).decode() if arguments.json else page(document))
    return 0
