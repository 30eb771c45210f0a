"""`wherewithal history`: fold events into features as of given instants, for Feast and for training."""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from streams.cli.sources import FILES_HELP, add_source_arguments, left_out_as_json, print_left_out, source_options
from streams.exceptions import ConfigurationError
from streams.settings import load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `history`."""
    parser.add_argument("events", nargs="+", type=Path, metavar="EVENTS", help=f"{FILES_HELP}; in order of arrival")
    when = parser.add_mutually_exclusive_group(required=True)
    when.add_argument(
        "--at",
        metavar="TIMES",
        help="epoch milliseconds or RFC 3339, comma-separated; or a Parquet or CSV file of user_id and timestamp",
    )
    when.add_argument("--every", metavar="STEP", help="regular instants within the history, such as 30d or 12h")
    parser.add_argument("--output", type=Path, default=Path("history"), metavar="FOLDER", help="new (default: history)")
    parser.add_argument("--targets", action="store_true", help="add what was spent in the 30 days after")
    parser.add_argument("--json", action="store_true", help="print the summary as one JSON object")
    add_source_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Fold the history and write the folder."""
    from streams.offline.history.output import check_output
    from streams.sources.reading import check_sources

    settings = load_settings()
    options = source_options(arguments)
    check_sources(arguments.events, options)
    check_output(arguments.output)
    plan = _plan(arguments)
    # Torch takes a second to import, which a wrong argument or --help should not cost.
    from streams.inference.loading import load_inference
    from streams.offline.history.output import write_history
    from streams.telemetry.metrics import Metrics

    started = time.monotonic()
    inference = load_inference(settings, Metrics())
    written = write_history(settings, inference, arguments.events, plan, arguments.output, arguments.targets, options)
    summary = asdict(written.account) | {
        "rows": written.rows,
        "texts_encoded": written.texts_read,
        "seconds": round(time.monotonic() - started, 3),
        "encoder": inference.encoder,
        "scorer": inference.artefact.version,
        "left_out": left_out_as_json(options),
    }
    if arguments.json:
        print(orjson.dumps(summary).decode())
    else:
        _print(summary, arguments.output)
        print_left_out(options)
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
        raise ConfigurationError(f"--at: expected a file of users and instants at {path}, found none")
    return Plan(entities=read_entities(path))


def _print(summary: dict[str, Any], output: Path) -> None:
    print(
        f"{summary['events_in']:,} events in = {summary['events_applied']:,} applied + {summary['duplicates']:,} "
        f"duplicates + {summary['dead_letters']:,} dead letters + {summary['erased']:,} erased"
    )
    print(
        f"{summary['rows']:,} rows of {summary['users']:,} users, {summary['texts_encoded']:,} texts encoded in "
        f"{summary['seconds']:,.1f} s, written to {output}"
    )
