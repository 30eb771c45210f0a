"""`wherewithal scores`: show the score stream, its highest scores, or the segments that its newest records make."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from models.labels.table import PRICE_BANDS
from streams.cli.common.arguments import load_cluster_settings, whole_number
from streams.cli.common.following import following
from streams.contract import SCORES
from streams.exceptions import ConfigurationError
from streams.operating.read_back import last_scores
from streams.operating.segments import (
    CLOSED,
    INTEREST,
    UNLABELLED,
    Segments,
    Wanted,
    count_segments,
    matches,
    parse_conditions,
)
from streams.operating.top_records import Height, top_records
from streams.settings import Settings
from streams.terminal import literal, shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `scores`."""
    parser.add_argument("--follow", action="store_true", help="go on with new scores as they come, until interrupted")
    parser.add_argument("--json", action="store_true", help="print JSON: records one per line, or all segments at once")
    parser.add_argument("--top", type=whole_number(1), metavar="N", help="only the N users with the highest scores")
    parser.add_argument("--segments", action="store_true", help="count users by their labels and tiers")
    parser.add_argument(
        "--where",
        metavar="FIELD=VALUE",
        action="append",
        default=[],
        help="only users that meet this condition, printed as NDJSON of their ids unless they are counted; "
        f"FIELD is one of {', '.join((*CLOSED, INTEREST))}; several of one field accept any of the values, "
        "several fields need all",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the newest score of every user or of some, their segments, or with `--follow` every new score."""
    wanted = parse_conditions(arguments.where)
    if arguments.follow and (wanted or arguments.segments or arguments.top):
        raise ConfigurationError(
            "--follow: expected it without --segments, --top and --where, which look at what is there"
        )
    if arguments.top and arguments.segments:
        raise ConfigurationError("--top: expected it without --segments, which counts everybody")
    settings = load_cluster_settings("to read from")
    if arguments.follow:
        asyncio.run(_follow(settings, arguments.json))
        return 0
    if arguments.top:
        for record in asyncio.run(top_records(settings, SCORES, arguments.top, partial(_height, wanted))):
            _print(record, arguments.json)
        return 0
    scores = asyncio.run(last_scores(settings))
    chosen = [scores[user_id] for user_id in sorted(scores) if matches(scores[user_id], wanted)]
    if arguments.segments:
        _print_segments(count_segments(chosen), arguments.json)
    else:
        _print_all(chosen, wanted, arguments.json)
    return 0


def _height(wanted: Wanted, record: Mapping[str, Any]) -> Height | None:
    """Return the height of a user who meets the conditions: of equal scores the higher prediction is first."""
    return (record["score"], record["prediction"]) if matches(record, wanted) else None


def _print_all(records: list[dict[str, Any]], wanted: Wanted, as_json: bool) -> None:
    for record in records:
        if wanted and not as_json:
            print(_line({"user_id": record["user_id"]}))
        else:
            _print(record, as_json)


def _print_segments(segments: Segments, as_json: bool) -> None:
    if as_json:
        print(_line(segments.as_json()))
        return
    bands = [band for band in (*PRICE_BANDS, UNLABELLED) if any(cell[2] == band for cell in segments.cells)]
    table = Table("tier", "lifecycle", *bands, "users", title=f"{segments.users:,} users by price band")
    for tier, stage in dict.fromkeys(cell[:2] for cell in segments.cells):
        counts = [segments.cells.get((tier, stage, band), 0) for band in bands]
        table.add_row(tier, stage, *(f"{count:,}" if count else "-" for count in counts), f"{sum(counts):,}")
    Console().print(table)
    for title, counted in (("intent", segments.intents), ("interest", segments.interests)):
        other = Table(title, "users")
        for name, count in counted.items():
            other.add_row(literal(name), f"{count:,}")
        Console().print(other)


async def _follow(settings: Settings, as_json: bool) -> None:
    async for user_id, score in following("scores", settings, SCORES):
        if score is not None:
            _print(score, as_json)
        elif as_json:
            print(_line({"user_id": user_id, "erased": True}), flush=True)
        else:
            print(f"{shown(user_id):24} erased", flush=True)


def _print(score: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(_line(score), flush=True)
        return
    first = next((reason["feature"] for reason in score["reasons"]), "")
    print(
        f"{shown(score['user_id']):24} {score['score']:6.1f} {shown(score['tier']):8} {score['expected_spend']:10.2f} "
        f"revision {score['revision']:<6} {shown(first)}",
        flush=True,
    )


def _line(document: dict[str, Any]) -> str:
    return shown(orjson.dumps(document).decode())
