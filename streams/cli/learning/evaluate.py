"""`wherewithal evaluate`: judge a scorer beside baselines, and write the report."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from streams.cli.common.arguments import MAX_SEED, file_or_folder, folder, whole_number
from streams.cli.common.progress import reporting
from streams.cli.learning.capacity import add_labels_argument, evaluate_capacity
from streams.cli.learning.capacity_ablation import OUTPUT
from streams.cli.learning.heads import (
    CAPACITY,
    HEADS,
    RISK,
    SENTIMENT,
    SPEND,
    Belongs,
    add_head_arguments,
    check_head,
    of_reading,
)
from streams.cli.learning.risk import evaluate_risk
from streams.cli.learning.sentiment import evaluate_sentiment
from streams.progress import Progress
from streams.settings import load_settings

if TYPE_CHECKING:
    from models.artefact.artefact import Artefact
    from streams.offline.evaluation.material import Material
    from streams.settings import Settings

DRAWS: Final = 200

_OPTIONS: Final = {
    "ignore_holdout": Belongs((SPEND,), False),
    "artefact": Belongs((SPEND, SENTIMENT)),
    "rows": Belongs((SPEND, CAPACITY)),
    "group": Belongs((SPEND, CAPACITY)),
    "labels": Belongs((CAPACITY,)),
    "reviews": Belongs((SENTIMENT,)),
}
"""The options that some heads do not take."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `evaluate`."""
    add_head_arguments(parser, (*HEADS, RISK))
    add_labels_argument(parser)
    parser.add_argument(
        "--rows",
        type=file_or_folder,
        metavar="ROWS",
        help="the folder that `history --targets` wrote, or its training_rows.parquet (default: bundled customers)",
    )
    parser.add_argument("--artefact", type=folder, metavar="FOLDER", help="the scorer (default: that of the settings)")
    parser.add_argument(
        "--ignore-holdout", action="store_true", help="judge half of the users, though the scorer was trained on some"
    )
    parser.add_argument(
        "--group", action="append", default=None, metavar="COLUMN", help="compare groups by it; may be repeated"
    )
    parser.add_argument("--output", type=Path, metavar="FOLDER", help=f"where a report is written (default: {OUTPUT})")
    parser.add_argument(
        "--bootstrap",
        type=whole_number(1),
        metavar="N",
        help=f"resamplings (default: {DRAWS}, of capacity and risk 1000, of sentiment 500)",
    )
    parser.add_argument(
        "--seed",
        type=whole_number(0, MAX_SEED),
        default=0,
        help="of resamplings, refits and rewritten texts (default: 0)",
    )
    parser.add_argument("--json", action="store_true", help="print the report as one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Evaluate and print the results; of the head of spend, write the page and the document as well."""
    check_head(arguments, _OPTIONS | of_reading())
    if arguments.head == CAPACITY:
        return evaluate_capacity(arguments)
    if arguments.head == SENTIMENT:
        return evaluate_sentiment(arguments)
    if arguments.head == RISK:
        return evaluate_risk(arguments)
    settings = load_settings()
    # Torch, trees and plots take seconds to import, which a wrong argument or --help should not cost.
    from features.users.catalogue import NAMES
    from models.artefact.artefact import Artefact
    from models.artefact.files import artefact_bytes
    from streams.inference.loading import artefact_folder
    from streams.offline.evaluation.publishing import publish
    from streams.offline.evaluation.report import evaluate
    from streams.offline.sample.orders import CURRENCY

    place = arguments.artefact or artefact_folder(settings)
    artefact = Artefact.load(place)
    artefact = artefact.serving(NAMES, None, artefact.width)
    with reporting() as progress:
        document = evaluate(
            artefact,
            _material(arguments, settings, artefact, progress),
            currency=CURRENCY if arguments.rows is None else settings.currency,
            size_bytes=artefact_bytes(place),
            draws=arguments.bootstrap or DRAWS,
            seed=arguments.seed,
            progress=progress,
        )
    output = arguments.output or OUTPUT
    publish(document, output)
    _warn(document["data"])
    if arguments.json:
        print(orjson.dumps(document).decode())
    else:
        _print(document, output)
    return 0


def _material(arguments: argparse.Namespace, settings: Settings, artefact: Artefact, progress: Progress) -> Material:
    if arguments.rows is not None:
        from streams.offline.evaluation.from_rows import from_rows

        return from_rows(arguments.rows, artefact, arguments.group or (), ignore_holdout=arguments.ignore_holdout)
    from streams.inference.loading import open_encoder
    from streams.offline.evaluation.from_sample import GROUPS, from_sample
    from streams.offline.sample.orders import judged_customers, orders

    progress("reading texts", 0, 1)
    return from_sample(artefact, open_encoder(settings), orders(judged_customers()), arguments.group or GROUPS)


def _warn(data: dict[str, Any]) -> None:
    """Say on standard error where the figures may not be those of users whom the scorer has not seen."""
    if data["overlap"] == "certain":
        print(f"warning: in-sample: {data['overlap_reason']}", file=sys.stderr)
    elif data["overlap"] == "unknown":
        print(f"note: whether it was trained on these users is not known: {data['overlap_reason']}", file=sys.stderr)


def _print(document: dict[str, Any], output: Path) -> None:
    from streams.offline.evaluation.comparison import verdict
    from streams.offline.evaluation.words import MEASURE_NAMES, MODEL_NAMES

    data = document["data"]
    print(f"{document['artefact']['version']}: {data['rows']:,} rows of {data['users']:,} users, written to {output}")
    for measure, name in MEASURE_NAMES.items():
        found = document["metrics"]["scorer"][measure]
        beaten = sum(verdict(row[measure]) == "ahead" for row in document["ahead"].values())
        behind = [MODEL_NAMES[key] for key, row in document["ahead"].items() if verdict(row[measure]) == "behind"]
        print(
            f"  {name:18} {found['value']:9,.4f}  95 % {found['low']:,.4f} to {found['high']:,.4f}; "
            f"ahead of {beaten} of {len(document['ahead'])} baselines"
            + (f", behind {', '.join(behind)}" if behind else "")
        )
    warnings = sum(len(column["warnings"]) for column in document["fairness"]["columns"].values())
    print(f"  warnings about groups: {warnings}")
