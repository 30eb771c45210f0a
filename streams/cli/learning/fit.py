"""`wherewithal fit`: from files of events to a scorer of one's own, with its report."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from features.tiles import DAY, HOUR
from streams.cli.common.arguments import in_words, share, whole_number
from streams.cli.common.progress import reporting
from streams.cli.common.refusals import add_max_refused, as_json, print_refused
from streams.cli.common.sources import (
    FILES_HELP,
    add_source_arguments,
    left_out_as_json,
    print_left_out,
    source_options,
    source_words,
)
from streams.cli.learning.evaluate import DRAWS
from streams.cli.learning.training_options import (
    ALL,
    SCORERS,
    SHARE,
    add_training_options,
    rules_of,
    shop_words,
    training_words,
    version_date,
)
from streams.exceptions import RefusedInputError
from streams.settings import load_settings

if TYPE_CHECKING:
    from streams.offline.fitting.fitting import Fitted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `fit`."""
    parser.add_argument("events", nargs="+", type=Path, metavar="EVENTS", help=FILES_HELP)
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="new or empty")
    parser.add_argument(
        "--every", metavar="STEP", help="between the instants of rows, such as 30d or 12h (default: by the history)"
    )
    parser.add_argument(
        "--holdout",
        type=share(none=False),
        default=SHARE,
        metavar="SHARE",
        help=f"of the users, not trained on, who judge the scorer (default: {SHARE:g})",
    )
    parser.add_argument(
        "--scorer", choices=(*SCORERS, ALL), default=ALL, help="the kinds of model to choose among (default: all)"
    )
    add_training_options(parser)
    parser.add_argument(
        "--bootstrap", type=whole_number(1), default=DRAWS, metavar="N", help=f"resamplings (default: {DRAWS})"
    )
    parser.add_argument("--shop", type=in_words, metavar="NAME", help="whose events they are, in words")
    parser.add_argument(
        "--categories",
        metavar="FILE|top:N",
        help="the scorer's list: of a file, or the most frequent of the history (default: top:256)",
    )
    add_max_refused(parser)
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    add_source_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Fit, write the folder, and print the comparison; 1 if the scorer is no better than chance."""
    from streams.offline.history.instants import parse_step
    from streams.offline.history.output import check_output
    from streams.offline.history.refused import Refused
    from streams.offline.training.categories import Choice, parse_choice
    from streams.sources.reading import check_sources

    made = version_date(arguments.date)
    settings = load_settings()
    options = source_options(arguments)
    check_sources(arguments.events, options)
    check_output(arguments.output)
    step = None if arguments.every is None else parse_step(arguments.every)
    # Torch and trees take seconds to import, which a wrong argument or --help should not cost.
    from streams.offline.fitting.fitting import Wishes, fit

    wishes = Wishes(
        rules=rules_of(arguments, made),
        step=step,
        share=arguments.holdout,
        draws=arguments.bootstrap,
        choice=Choice() if arguments.categories is None else parse_choice(arguments.categories),
        shop=arguments.shop or "",
        command=_command(arguments, made),
    )
    refused = Refused(max_share=arguments.max_refused)
    try:
        with reporting() as progress:
            fitted = fit(settings, arguments.events, arguments.output, wishes, options, refused, progress)
    except RefusedInputError as error:
        print_refused(refused.refusals, refused.places, sys.stderr)
        raise RefusedInputError(f"{error}; nothing was written") from error
    if arguments.json:
        kept = {"refused": as_json(refused.refusals, refused.places), "left_out": left_out_as_json(options)}
        print(orjson.dumps(_document(fitted) | kept).decode())
    else:
        print_refused(refused.refusals, refused.places)
        print_left_out(options)
        for line in _lines(fitted, arguments):
            print(line)
    if fitted.warning is not None:
        print(f"warning: {fitted.warning}", file=sys.stderr)
    return 0 if fitted.warning is None else 1


def _command(arguments: argparse.Namespace, made: date) -> str:
    """Return the command that makes this artefact again, without default values."""
    words = ["wherewithal fit EVENTS --output FOLDER", f"--date {made.isoformat()}"]
    words += shop_words(arguments)
    words += [f"--every {arguments.every}"] if arguments.every is not None else []
    words += [f"--holdout {arguments.holdout:g}"] if arguments.holdout != SHARE else []
    words += [f"--scorer {arguments.scorer}"] if arguments.scorer != ALL else []
    return " ".join(words + training_words(arguments))


def _lines(fitted: Fitted, arguments: argparse.Namespace) -> Iterator[str]:
    output: Path = arguments.output
    account, holdout, trained = fitted.account, fitted.holdout, fitted.trained
    yield (
        f"{account.events_in:,} events in = {account.events_applied:,} applied + {account.duplicates:,} duplicates + "
        f"{account.dead_letters:,} dead letters + {account.erased:,} erased"
    )
    yield (
        f"a row every {_step(fitted.step)}: {fitted.rows:,} rows of {fitted.users:,} users to train on, "
        f"{holdout.rows:,} of {holdout.users:,} users held out"
    )
    yield ""
    yield from fitted.table.lines(trained.chosen)
    yield ""
    yield f"* {trained.artefact.version}: {trained.chosen}, written to {output}"
    losses = ", ".join(f"{kind} {loss:.4f}" for kind, loss in trained.losses.items())
    yield f"  chosen by its order loss in cross-validation over the users trained on: {losses}"
    if left_out := trained.results[trained.chosen].left_out:
        yield f"  left out, because they do not vary in the training rows: {', '.join(left_out)}"
    yield "next:"
    folder, names = shlex.quote(str(output)), " ".join(shlex.quote(str(path)) for path in arguments.events)
    if how := source_words(arguments):
        names = f"{names} {how}"
    yield f"  look at {output}/report.html"
    yield f"  WHEREWITHAL_ARTEFACT={folder}/artefact wherewithal replay {names} --scores scores.ndjson"
    yield f"  WHEREWITHAL_ARTEFACT={folder}/artefact WHEREWITHAL_BROKER=kafka://HOST:9092 wherewithal worker"


def _step(step: int) -> str:
    return f"{step // DAY} days" if step % DAY == 0 else f"{step // HOUR} hours"


def _document(fitted: Fitted) -> dict[str, Any]:
    account, trained = fitted.account, fitted.trained
    return {
        "events_in": account.events_in,
        "events_applied": account.events_applied,
        "duplicates": account.duplicates,
        "dead_letters": account.dead_letters,
        "erased": account.erased,
        "step_ms": fitted.step,
        "rows": fitted.rows,
        "users": fitted.users,
        "holdout": {
            "salt": fitted.holdout.salt,
            "share": fitted.holdout.share,
            "users": fitted.holdout.users,
            "rows": fitted.holdout.rows,
        },
        "chosen": trained.chosen,
        "losses": dict(trained.losses),
        "version": trained.artefact.version,
        "comparison": fitted.table.document(),
        "warning": fitted.warning,
    }
