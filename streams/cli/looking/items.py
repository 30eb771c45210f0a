"""`wherewithal items [ITEM]`: the items that move, one of them in full, the stream of signals, or one forgotten."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson
from rich.console import Console

from features.exceptions import OnlineStoreURLError
from streams.cli.common.arguments import an_id, load_cluster_settings, whole_number
from streams.cli.common.fields import print_fields
from streams.cli.common.following import following
from streams.cli.common.progress import reporting
from streams.cli.common.receipts import print_receipt, seconds
from streams.contract import ITEM_SIGNALS
from streams.exceptions import ConfigurationError
from streams.inference.sentiment import weakness_of_shipped
from streams.operating.items.forgetting import forget
from streams.operating.items.newest import newest_record
from streams.operating.items.ordering import NAMED, field_of, height_by, number_at
from streams.operating.items.table import items_table, written
from streams.operating.top_records import top_records
from streams.settings import Settings
from streams.terminal import shown

TOP: Final = 20
BY: Final = "revenue"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `items`."""
    parser.add_argument("item", type=an_id, nargs="?", metavar="ITEM", help="item id: only this one, in full")
    parser.add_argument("--follow", action="store_true", help="go on with new records as they come, until interrupted")
    parser.add_argument(
        "--by",
        metavar="FIELD",
        help=f"what the items are ordered by, the greatest first: {', '.join(NAMED)}, or any number of the record, "
        f"such as views_24h (default: {BY})",
    )
    parser.add_argument("--top", type=whole_number(1), metavar="N", help=f"how many items (default: {TOP})")
    parser.add_argument("--forget", action="store_true", help="forget ITEM, wait for the item stage, show the receipt")
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=60.0,
        metavar="SECONDS",
        help="with --forget: how long the item stage may take (default: 60)",
    )
    parser.add_argument("--json", action="store_true", help="print records as JSON, one per line, or the receipt")


def run(arguments: argparse.Namespace) -> int:
    """Print the items that stand highest, or one, or forget it; return 1 if there is no record, or one remains."""
    ordered = arguments.by is not None or arguments.top is not None
    if ordered and (arguments.follow or arguments.item is not None):
        raise ConfigurationError("--top, --by: expected them without ITEM and --follow, which order nothing")
    if arguments.forget and (arguments.item is None or ordered or arguments.follow):
        raise ConfigurationError("--forget: expected ITEM beside it, without --follow, --top and --by")
    by = field_of(BY if arguments.by is None else arguments.by)
    settings = load_cluster_settings("to read from")
    if arguments.forget:
        return _forget(settings, arguments)
    if arguments.follow:
        asyncio.run(_follow(settings, arguments.item, arguments.json))
        return 0
    if arguments.item is not None:
        return _print_one(asyncio.run(newest_record(settings, arguments.item)), arguments.json)
    records = asyncio.run(top_records(settings, ITEM_SIGNALS, arguments.top or TOP, height_by(by)))
    if not records:
        print(
            f"wherewithal items: no item has a number at {shown(by)}; `items ITEM` shows what a record holds",
            file=sys.stderr,
        )
    elif arguments.json:
        for record in records:
            _print_json(record)
    else:
        console = Console()
        console.print(items_table(console, f"items by {by}", records, by))
        _say_weak(records)
    return 0


def _forget(settings: Settings, arguments: argparse.Namespace) -> int:
    try:
        with reporting() as report:
            receipt = asyncio.run(forget(settings, arguments.item, arguments.timeout, report))
    except OnlineStoreURLError as error:
        raise ConfigurationError(f"WHEREWITHAL_ONLINE_STORE: {error}") from error
    headline = f"an item is forgotten, requested in {receipt.place}, settled by the item stage"
    return print_receipt("items", receipt, headline, "item", as_json=arguments.json)


def _print_one(record: Mapping[str, Any] | None, as_json: bool) -> int:
    if record is None:
        print("wherewithal items: there is no record of such an item", file=sys.stderr)
        return 1
    if as_json:
        _print_json(record)
    else:
        print_fields("field", "the newest record", record)
        _say_weak([record])
    return 0


def _say_weak(records: Iterable[Mapping[str, Any]]) -> None:
    """Say on standard error where the polarity in these records is weak, for a head that ships."""
    heads = {record["model"]["polarity"] for record in records if record.get("sentiment")}
    for head in sorted(heads):
        if weak := weakness_of_shipped(head):
            print(f"note: {weak}", file=sys.stderr)


async def _follow(settings: Settings, item: str | None, as_json: bool) -> None:
    async for item_id, record in following("items", settings, ITEM_SIGNALS):
        if item is not None and item_id != item:
            continue
        if record is None:
            if as_json:
                _print_json({"item_id": item_id, "forgotten": True})
            else:
                print(f"{shown(item_id):24} forgotten", flush=True)
        elif as_json:
            _print_json(record)
        else:
            print(_line(record), flush=True)


def _line(record: Mapping[str, Any]) -> str:
    units, revenue, conversion, polarity, risk = (
        written(number_at(record, field), form)
        for field, form in (
            ("units_7d", ",d"),
            ("revenue_7d", ",.2f"),
            ("conversion_7d", ".1%"),
            ("polarity_30d", "+.2f"),
            ("risk.score", ".0f"),
        )
    )
    return (
        f"{shown(record['item_id']):24} {units:>7} units 7d {revenue:>12} conversion {conversion:>6} "
        f"polarity {polarity:>5} risk {risk:>3} revision {record['revision']}"
    )


def _print_json(record: Mapping[str, Any]) -> None:
    print(shown(orjson.dumps(record).decode()), flush=True)
