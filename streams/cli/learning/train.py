"""`wherewithal train`: fit a scorer and write its artefact with a card."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from streams.cli.common.arguments import file_or_folder, in_words, share
from streams.cli.common.progress import reporting
from streams.cli.learning.capacity import add_evidence_argument, add_labels_argument, train_capacity
from streams.cli.learning.heads import (
    CAPACITY,
    SENTIMENT,
    SPEND,
    Belongs,
    add_head_arguments,
    check_folder,
    check_head,
    of_reading,
)
from streams.cli.learning.sentiment import train_sentiment
from streams.cli.learning.training_options import (
    ALL,
    FOLDS,
    SCORERS,
    SHARE,
    TRIALS,
    add_training_options,
    rules_of,
    shop_words,
    training_words,
    version_date,
)
from streams.exceptions import ConfigurationError
from streams.log import log
from streams.settings import load_settings

if TYPE_CHECKING:
    from models.artefact.artefact import Artefact
    from models.scoring.kinds.protocol import Watch
    from streams.offline.fitting.contest import Contest
    from streams.offline.fitting.table import Table
    from streams.offline.training.source import Source


_OPTIONS: Final = {
    "scorer": Belongs((SPEND,), SCORERS[0]),
    "holdout": Belongs((SPEND,)),
    "categories": Belongs((SPEND,)),
    "folds": Belongs((SPEND,), FOLDS),
    "trials": Belongs((SPEND,), TRIALS),
    "log_dir": Belongs((SPEND,)),
    "rows": Belongs((SPEND, CAPACITY)),
    "labels": Belongs((CAPACITY,)),
    "evidence": Belongs((CAPACITY,)),
    "reviews": Belongs((SENTIMENT,)),
}
"""The options that some heads do not take."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `train`."""
    add_head_arguments(parser)
    add_labels_argument(parser)
    add_evidence_argument(parser)
    parser.add_argument(
        "--scorer",
        choices=(*SCORERS, ALL),
        default=SCORERS[0],
        help=f"the kind of model, or all of them, of which the best is written (default: {SCORERS[0]})",
    )
    parser.add_argument(
        "--rows",
        type=file_or_folder,
        metavar="ROWS",
        help="the folder that `history --targets` wrote, or its training_rows.parquet (default: the bundled orders)",
    )
    parser.add_argument(
        "--holdout",
        type=share(none=True),
        metavar="SHARE",
        help=f"of the users of --rows, not trained on, for `evaluate` to judge; 0 for none (default: {SHARE:g})",
    )
    parser.add_argument(
        "--categories",
        metavar="FILE|top:N",
        help="the scorer's list, with --rows: of a file, or the most frequent of the history (default: top:256)",
    )
    parser.add_argument("--shop", type=in_words, metavar="NAME", help="whose rows they are, in words, for the artefact")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="where to write (default: the shipped artefact)")
    add_training_options(parser)
    parser.add_argument("--log-dir", type=Path, metavar="FOLDER", help="write TensorBoard logs of the losses there")


def run(arguments: argparse.Namespace) -> int:
    """Choose, fit and write a scorer."""
    made = version_date(arguments.date)
    check_head(arguments, _OPTIONS | of_reading())
    if arguments.output is not None:
        check_folder(arguments.output, arguments.head)
    if arguments.head == CAPACITY:
        return train_capacity(arguments, made)
    if arguments.head == SENTIMENT:
        return train_sentiment(arguments, made)
    settings = load_settings()
    if arguments.rows is not None and arguments.output is None:
        raise ConfigurationError(
            "--output: expected a folder beside --rows, found none; the shipped artefact is made from bundled orders"
        )
    if arguments.rows is None and (arguments.categories is not None or arguments.shop):
        raise ConfigurationError("--categories, --shop: expected --rows beside them, found none; name your rows")
    if arguments.rows is None and arguments.holdout is not None:
        raise ConfigurationError("--holdout: expected --rows beside it, found none; the bundled orders have a split")
    # Torch takes a second to import, which a wrong argument or --help should not cost.
    from models.artefact.artefact import Artefact
    from models.artefact.card import CARD_FILE, card
    from models.artefact.holdout import SALT, Holdout
    from models.training.threads import one_thread
    from streams.inference.loading import artefact_folder
    from streams.offline.fitting.contest import contest
    from streams.offline.training.categories import Choice, parse_choice
    from streams.offline.training.holding_out import hold_out
    from streams.offline.training.source import from_rows, from_sample

    choice = Choice() if arguments.categories is None else parse_choice(arguments.categories)

    # The projection is fitted to embeddings, whose last digits depend on the number of threads.
    settings = settings.model_copy(update={"encoder_threads": 1})
    rules = rules_of(arguments, made)
    holdout = None
    with one_thread():
        if arguments.rows is None:
            source = from_sample(settings)
        else:
            source = from_rows(settings, arguments.rows, choice=choice, shop=arguments.shop or "")
            if not source.categories_learnt:
                _lacks_categories(arguments)
        if arguments.rows is not None and arguments.holdout != 0:
            source, _, holdout = hold_out(source, Holdout(salt=SALT, share=arguments.holdout or SHARE))
        log.info("training", rows=len(source.users), users=len(set(source.users)))
        with reporting() as progress, _logs(arguments.log_dir) as watch:
            trained = contest(source, holdout, rules, progress=progress, watch=watch)
    # The scorer in use may be the one that is written over.
    in_use = Artefact.load(artefact_folder(settings)) if arguments.scorer == ALL else None
    folder = arguments.output or artefact_folder(settings)
    artefact = trained.artefact
    artefact.save(folder, {CARD_FILE: card(artefact, _command(arguments, made)).encode()})
    if in_use is not None:
        for line in _table(arguments.rows, source, trained, in_use).lines(trained.chosen):
            print(line)
    _print(artefact, folder, trained.results[trained.chosen].left_out)
    _next(arguments)
    return 0


def _lacks_categories(arguments: argparse.Namespace) -> None:
    """Refuse a wish that cannot be met; say so where nothing was wished."""
    missing = f"expected categories.csv beside {arguments.rows}, found none"
    if arguments.categories is not None:
        raise ConfigurationError(f"--categories: {missing}; fold the history again, or name a file of categories")
    print(
        f"{missing}: the categories are copied from the scorer in use, not learnt; fold the history again with this "
        "release, or name a file with --categories",
        file=sys.stderr,
    )


def _table(file: Path | None, source: Source, trained: Contest, in_use: Artefact) -> Table:
    """Return the table of all kinds: on the users held out, or out of fold where there are none."""
    from streams.offline.evaluation.from_rows import from_rows
    from streams.offline.fitting.table import on_holdout, out_of_fold

    if file is None or trained.artefact.holdout is None:
        return out_of_fold(source, trained.results, in_use)
    return on_holdout(from_rows(file, trained.artefact), trained.artefacts, in_use)


@contextmanager
def _logs(folder: Path | None) -> Iterator[Watch | None]:
    """Write losses for TensorBoard, if a folder is named."""
    if folder is None:
        yield None
        return
    _library("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    # Its stubs are untyped.
    make: Any = SummaryWriter
    with make(log_dir=str(folder)) as writer:
        yield lambda name, step, loss: writer.add_scalar(name, loss, step)


def _library(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigurationError(
            f"{name}: expected it installed, found none; install it with `pip install wherewithal[train]`"
        ) from error


def _command(arguments: argparse.Namespace, made: date) -> str:
    """Return the command that makes this artefact again, without default values."""
    words = ["wherewithal train", f"--date {made.isoformat()}"]
    words += [f"--scorer {arguments.scorer}"] if arguments.scorer != SCORERS[0] else []
    words += ["--rows ROWS --output FOLDER"] if arguments.rows is not None else []
    words += shop_words(arguments)
    words += [f"--holdout {arguments.holdout:g}"] if arguments.holdout is not None else []
    return " ".join(words + training_words(arguments))


def _print(artefact: Artefact, folder: Path, left_out: tuple[str, ...]) -> None:
    from models.measures.chance import chance_warning

    print(f"{artefact.version}: {artefact.scorer.model.kind}, written to {folder}")
    if (origin := artefact.origin) is not None:
        shop = origin.shop or "a shop that --shop did not name"
        measured = artefact.scorer.calibration.trusted_up_to
        print(f"  fitted on {shop}, in {origin.currency}; expected_spend is measured up to {measured:,.2f}")
    print(f"  {len(artefact.categories)} categories")
    if (holdout := artefact.holdout) is not None:
        print(f"  not trained on {holdout.users:,} users ({holdout.rows:,} rows), who are held out to judge it")
    if left_out:
        # Not in the card: it describes what the scorer has, and the same data give it whatever other features exist.
        print(f"  left out, because they do not vary in the training rows: {', '.join(left_out)}")
    print("  in cross-validation over the users trained on:")
    for name, value in artefact.metrics.items():
        if isinstance(value, float):
            print(f"  {name:24} {value:,.0f}" if name in {"rows", "users"} else f"  {name:24} {value:,.4f}")
    if (warning := chance_warning(artefact.metrics)) is not None:
        print(f"warning: {warning}", file=sys.stderr)


def _next(arguments: argparse.Namespace) -> None:
    """Say what to run next with a scorer of one's own."""
    if arguments.output is None:
        return
    folder = shlex.quote(str(arguments.output))
    judged = "" if arguments.rows is None else f" --rows {shlex.quote(str(arguments.rows))}"
    print(f"next: wherewithal evaluate{judged} --artefact {folder}")
    print(f"then: WHEREWITHAL_ARTEFACT={folder} wherewithal replay EVENTS, or wherewithal worker")
