"""The head of capacity on the command line: what `train` and `evaluate` do with `--head capacity`."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from streams.cli.common.arguments import file, whole_number
from streams.cli.common.progress import reporting
from streams.cli.learning.capacity_ablation import publish_ablation
from streams.exceptions import ConfigurationError
from streams.log import log
from streams.terminal import shown

if TYPE_CHECKING:
    from streams.offline.capacity.labels_file import Labels
    from streams.offline.capacity.making import Made
    from streams.offline.capacity.people import Gathered

_PARTS: Final = {"behaviour": "behaviour (scalars)", "text": "text (two vectors)", "both": "both"}


def add_labels_argument(parser: argparse.ArgumentParser) -> None:
    """Declare `--labels`."""
    parser.add_argument(
        "--labels", type=file, metavar="CSV", help="with --head capacity: user_id,label of some users of --rows"
    )


def add_evidence_argument(parser: argparse.ArgumentParser) -> None:
    """Declare `--evidence`."""
    parser.add_argument(
        "--evidence",
        type=whole_number(0),
        metavar="ORDERS",
        help="with --head capacity: orders below which nothing is said of a user (default: 5)",
    )


def train_capacity(arguments: argparse.Namespace, made: date) -> int:
    """Judge and fit the head of capacity, and write its artefact with a card."""
    _require_labels(arguments)
    if arguments.output is None:
        raise ConfigurationError("--output: expected a folder for the artefact, found none; name one")
    from models.artefact.capacity_card import capacity_card
    from models.artefact.card import CARD_FILE
    from streams.offline.capacity.judging import judge
    from streams.offline.capacity.making import LEAST_EVIDENCE, make

    gathered, labels = _gathered(arguments)
    _say_unknown(gathered, labels)
    log.info("training", users=len(gathered.users), labelled=len(gathered.labelled.users))
    with reporting() as progress:
        judged = judge(gathered, {}, seed=arguments.seed, progress=progress)
    evidence = LEAST_EVIDENCE if arguments.evidence is None else arguments.evidence
    fitted = make(gathered, judged, least_evidence=evidence, seed=arguments.seed, made=made, shop=arguments.shop or "")
    card = capacity_card(fitted.artefact, _command(arguments, made))
    fitted.artefact.save(arguments.output, {CARD_FILE: card.encode()})
    _print_made(fitted, gathered, judged, arguments.output)
    return 0


def evaluate_capacity(arguments: argparse.Namespace) -> int:
    """Judge the head of capacity by cross-validation, and print what was found."""
    if arguments.rows is None and arguments.labels is None:
        return publish_ablation(arguments)
    _require_labels(arguments)
    if arguments.output is not None:
        raise ConfigurationError(
            "--output: expected no --rows beside it with --head capacity, found them; leave it out"
        )
    from streams.offline.capacity.judging import DRAWS, groups_of, judge

    columns = tuple(dict.fromkeys(arguments.group or ()))
    gathered, labels = _gathered(arguments, columns)
    groups = groups_of(columns, gathered, labels)
    _say_unknown(gathered, labels)
    with reporting() as progress:
        document = judge(gathered, groups, draws=arguments.bootstrap or DRAWS, seed=arguments.seed, progress=progress)
    if arguments.json:
        print(orjson.dumps(document).decode())
    else:
        _print_judged(document)
    return 0


def _require_labels(arguments: argparse.Namespace) -> None:
    if arguments.rows is None or arguments.labels is None:
        raise ConfigurationError(
            "--head capacity: expected --rows ROWS and --labels CSV beside it, found one missing; name both"
        )


def _gathered(arguments: argparse.Namespace, columns: Sequence[str] = ()) -> tuple[Gathered, Labels]:
    from streams.offline.capacity.labels_file import read_labels
    from streams.offline.capacity.people import gather

    labels = read_labels(arguments.labels, columns)
    gathered = gather(arguments.rows, labels)
    return gathered, labels


def _say_unknown(gathered: Gathered, labels: Labels) -> None:
    """Say on standard error how many labels are of users without a row."""
    if gathered.unknown:
        print(
            f"note: {gathered.unknown:,} of {len(labels.values):,} users of {labels.path} have no row and are left out",
            file=sys.stderr,
        )


def _print_judged(document: dict[str, Any]) -> None:
    print(f"{document['n']:,} labelled users, each ordered by a fit that has not seen the user:")
    print(f"  {'':20} {'Spearman':>9} {'concordance':>12}")
    for part, name in _PARTS.items():
        print(f"  {name:20} {document['spearman'][part]:9.3f} {document['concordance'][part]:12.3f}")
    low, high = document["lift"]["interval"]
    print(f"text adds {document['lift']['spearman']:+.3f} of Spearman to behaviour, 95 % {low:+.3f} to {high:+.3f}")
    for column, found in document.get("fairness", {}).items():
        print(f"by {shown(column)}, ranks from 0 (lowest) to 1:")
        print(f"  {'':20} {'users':>7} {'true':>7} {'told':>7} {'upper band':>11} {'upper third':>12} {'Spearman':>9}")
        for name, group in found["groups"].items():
            within = "" if group["spearman"] is None else f"{group['spearman']:9.3f}"
            print(
                f"  {shown(name)[:20]:20} {group['users']:7,} {group['mean_actual']:7.3f} "
                f"{group['mean_predicted']:7.3f} {group['selection_rate']:11.3f} {group['actual_rate']:12.3f} {within}"
            )
        for warning in found["warnings"]:
            print(f"  look into {shown(warning['group'])}: {warning['kind']} {warning['value']:.3g}")


def _print_made(fitted: Made, gathered: Gathered, judged: dict[str, Any], folder: Path) -> None:
    artefact = fitted.artefact
    print(f"{artefact.version}: capacity, {artefact.scorer.model.kind}, written to {folder}")
    print(
        f"  fitted on {judged['n']:,} labels among {len(gathered.users):,} users; compared with {fitted.population:,} "
        f"users of {artefact.scorer.least_evidence} orders or more"
    )
    if fitted.left_out:
        print(f"  left out, because they do not vary in the rows: {', '.join(fitted.left_out)}")
    _print_judged(judged)
    print(f"not for: {', '.join(artefact.not_for)}")
    variable = f"WHEREWITHAL_CAPACITY_ARTEFACT={shlex.quote(str(folder))}"
    print(f"next: {variable} wherewithal replay EVENTS, or wherewithal worker")


def _command(arguments: argparse.Namespace, made: date) -> str:
    words = [f"wherewithal train --head capacity --date {made.isoformat()} --rows ROWS --labels CSV --output FOLDER"]
    words += [f"--shop {shlex.quote(arguments.shop)}"] if arguments.shop else []
    words += [f"--evidence {arguments.evidence}"] if arguments.evidence is not None else []
    words += [f"--seed {arguments.seed}"] if arguments.seed else []
    return " ".join(words)
