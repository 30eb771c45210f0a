"""`wherewithal history`: fold events into features as of given instants, for Feast and for training."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from streams.cli.common.arguments import ITEM, add_entity, check_outputs
from streams.cli.common.progress import reporting
from streams.cli.common.refusals import add_max_refused, as_json, print_refused
from streams.cli.common.sources import (
    FILES_HELP,
    add_source_arguments,
    left_out_as_json,
    print_left_out,
    source_options,
)
from streams.exceptions import ConfigurationError, NoRowsError, RefusedInputError
from streams.settings import load_settings
from streams.sources.places import Place


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `history`."""
    parser.add_argument("events", nargs="+", type=Path, metavar="EVENTS", help=f"{FILES_HELP}; in order of arrival")
    when = parser.add_mutually_exclusive_group(required=True)
    when.add_argument(
        "--at",
        metavar="TIMES",
        help="epoch milliseconds or RFC 3339, comma-separated; or a Parquet or CSV file of user_id and timestamp, "
        "or of item_id and timestamp",
    )
    when.add_argument("--every", metavar="STEP", help="regular instants within the history, such as 30d or 12h")
    add_entity(parser, "features")
    parser.add_argument("--output", type=Path, default=Path("history"), metavar="FOLDER", help="new (default: history)")
    parser.add_argument("--targets", action="store_true", help="add what was spent in the 30 days after")
    parser.add_argument("--dead-letters", type=Path, metavar="FILE", help="write what is refused")
    add_max_refused(parser)
    parser.add_argument("--json", action="store_true", help="print the summary as one JSON object")
    add_source_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Fold the history and write the folder.

    Raises:
        RefusedInputError: too much is refused, and nothing was folded.
        NoRowsError: nobody has an event by any of the instants, and no folder was written.
    """
    from streams.offline.history.output import check_output
    from streams.sources.reading import check_sources

    settings = load_settings()
    options = source_options(arguments)
    check_sources(arguments.events, options)
    check_output(arguments.output)
    if arguments.dead_letters is not None:
        check_outputs([arguments.dead_letters], arguments.events)
        if arguments.output.resolve() in arguments.dead_letters.resolve().parents:
            raise ConfigurationError(f"--dead-letters: expected a file outside of {arguments.output}, found one in it")
    if arguments.targets and arguments.entity == ITEM:
        raise ConfigurationError("--targets: expected a history of users, found --entity item: an item spends nothing")
    plan = _plan(arguments)
    # Torch takes a second to import, which a wrong argument or --help should not cost.
    from streams.inference.loading import load_inference
    from streams.offline.history.item_output import write_item_history
    from streams.offline.history.output import write_history
    from streams.offline.history.refused import Refused
    from streams.telemetry.metrics import Metrics

    started = time.monotonic()
    with ExitStack() as closing:
        inference = load_inference(settings, Metrics(), offline=True)
        letters = None if arguments.dead_letters is None else closing.enter_context(arguments.dead_letters.open("wb"))
        refused = Refused(letters, arguments.max_refused)
        progress = closing.enter_context(reporting())
        try:
            write = (
                write_item_history if arguments.entity == ITEM else partial(write_history, targets=arguments.targets)
            )
            written = write(
                settings,
                inference,
                arguments.events,
                plan,
                arguments.output,
                options=options,
                refused=refused,
                progress=progress,
            )
        except RefusedInputError as error:
            print_refused(refused.refusals, refused.places, sys.stderr)
            raise RefusedInputError(f"{error}; nothing was written") from error
    duplicate = written.first_duplicate
    summary = asdict(written.account) | {
        "rows": written.rows,
        "rows_with_target": written.rows_with_target,
        "instants": written.instants,
        "instants_with_target": written.instants_with_target,
        "texts_encoded": written.texts_read,
        "titles_encoded": written.titles_read,
        "seconds": round(time.monotonic() - started, 3),
        "encoder": inference.encoder,
        "scorer": inference.artefact.version,
        "refused": as_json(refused.refusals, refused.places),
        "first_duplicate": None if duplicate is None else duplicate.as_dict(),
        "left_out": left_out_as_json(options),
        "facts": written.facts,
        "items": written.items,
    }
    if arguments.json:
        print(orjson.dumps(summary).decode())
    else:
        _print(summary, arguments.output, duplicate)
        print_refused(refused.refusals, refused.places)
        print_left_out(options)
    if not written.rows:
        raise NoRowsError(_why_no_rows(summary))
    if written.rows_with_target == 0:
        # Not an error: rows without a target serve Feast as well.
        print(f"wherewithal history: no row has a target: {_uncovered(summary)}", file=sys.stderr)
    return 0


def _plan(arguments: argparse.Namespace) -> Any:
    from streams.offline.history.instants import is_entity_file, parse_instants, parse_step, read_entities
    from streams.offline.history.output import Plan

    if arguments.every is not None:
        return Plan(step=parse_step(arguments.every))
    if not is_entity_file(arguments.at):
        return Plan(instants=parse_instants(arguments.at))
    path = Path(arguments.at)
    if not path.is_file():
        raise ConfigurationError(f"--at: expected a file of {arguments.entity}s and instants at {path}, found none")
    return Plan(entities=read_entities(path, f"{arguments.entity}_id"))


def _print(summary: dict[str, Any], output: Path, duplicate: Place | None) -> None:
    print(
        f"{summary['events_in']:,} events in = {summary['events_applied']:,} applied + {summary['duplicates']:,} "
        f"duplicates + {summary['dead_letters']:,} dead letters + {summary['erased']:,} erased"
    )
    if duplicate is not None:
        print(f"the first duplicate: {duplicate}")
    whose = f"{summary['users']:,} users"
    if summary["items"] is not None:
        whose = f"{summary['items']:,} items, from {summary['facts']:,} facts"
    print(
        f"{summary['rows']:,} rows of {whose}, {summary['texts_encoded']:,} texts and "
        f"{summary['titles_encoded']:,} titles encoded in {summary['seconds']:,.1f} s"
        + (f", written to {output}" if summary["rows"] else "")
    )
    with_target = summary["rows_with_target"]
    if with_target is None or not summary["rows"]:
        return
    of_instants = ""
    if summary["instants"] is not None:
        of_instants = f"{summary['instants_with_target']:,} of {summary['instants']:,} instants and "
    print(
        f"{of_instants}{with_target:,} of {summary['rows']:,} rows have a target"
        + (f"; of the others, {_uncovered(summary)}" if 0 < with_target < summary["rows"] else "")
    )


def _uncovered(summary: dict[str, Any]) -> str:
    return f"the 30 days after are not over by the newest event, which is of {_written(summary['newest'])}"


def _why_no_rows(summary: dict[str, Any]) -> str:
    if not summary["events_in"]:
        return "expected events, found none, so nothing was written: check that the files hold any"
    if not summary["events_applied"]:
        return "expected events that count, found none, so nothing was written: mend what was refused or erased"
    span = f"{_written(summary['oldest'])} to {_written(summary['newest'])}"
    whose = "a user" if summary["items"] is None else "an item"
    return (
        f"expected an instant by which {whose} has an event, found none, so nothing was written: events are of {span}"
    )


def _written(instant: int | None) -> str:
    return "none" if instant is None else datetime.fromtimestamp(instant / 1000, UTC).isoformat(timespec="seconds")
