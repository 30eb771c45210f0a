"""`wherewithal train`: fit a scorer and write its artefact with a card."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from features.catalogue import NAMES, TRANSFORMS
from streams.cli.arguments import file_or_folder, whole_number
from streams.exceptions import ConfigurationError
from streams.log import log
from streams.settings import load_settings

if TYPE_CHECKING:
    from models.artefact.artefact import Artefact
    from models.scoring.kinds.protocol import Watch
    from models.training.candidate import Progress
    from streams.offline.training.source import Source

SCORERS: Final = ("loglinear", "linear", "ziln", "gbm", "ensemble")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `train`."""
    parser.add_argument(
        "--scorer", choices=SCORERS, default=SCORERS[0], help=f"the kind of model (default: {SCORERS[0]})"
    )
    parser.add_argument(
        "--rows",
        type=file_or_folder,
        metavar="ROWS",
        help="the folder that `history --targets` wrote, or its training_rows.parquet (default: the bundled orders)",
    )
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="where to write (default: the shipped artefact)")
    parser.add_argument("--seed", type=whole_number(0), default=0, help="of folds, search and fits (default: 0)")
    parser.add_argument("--folds", type=whole_number(2), default=5, help="of the users (default: 5)")
    parser.add_argument(
        "--trials", type=whole_number(1), default=10, help="options tried of ziln and gbm (default: 10)"
    )
    parser.add_argument("--log-dir", type=Path, metavar="FOLDER", help="write TensorBoard logs of the losses there")
    parser.add_argument("--date", default=None, metavar="YYYY-MM-DD", help="the date in the version (default: today)")


def run(arguments: argparse.Namespace) -> int:
    """Choose, fit and write a scorer."""
    made = _date(arguments.date)
    settings = load_settings()
    if arguments.rows is not None and arguments.output is None:
        raise ConfigurationError(
            "--output: expected a folder beside --rows, found none; the shipped artefact is made from bundled orders"
        )
    # Torch takes a second to import, which a wrong argument or --help should not cost.
    from models.artefact.card import CARD_FILE, card
    from models.training.threads import one_thread
    from streams.inference.loading import artefact_folder
    from streams.offline.training.source import from_rows, from_sample

    # The projection is fitted to embeddings, whose last digits depend on the number of threads.
    settings = settings.model_copy(update={"encoder_threads": 1})
    with one_thread():
        source = from_sample(settings) if arguments.rows is None else from_rows(settings, arguments.rows)
        log.info("training", rows=len(source.users), users=len(set(source.users)))
        artefact, left_out = _artefact(arguments, source, made)
    folder = arguments.output or artefact_folder(settings)
    artefact.save(folder)
    (folder / CARD_FILE).write_text(card(artefact, _command(arguments, made)), encoding="utf-8")
    _print(artefact, folder, left_out)
    return 0


def _date(text: str | None) -> date:
    try:
        return date.today() if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(f"--date: expected YYYY-MM-DD, found {text!r}") from error


def _artefact(arguments: argparse.Namespace, source: Source, made: date) -> tuple[Artefact, tuple[str, ...]]:
    """Return the artefact, and the features that it was not fitted on because they do not vary."""
    from models.artefact.artefact import Artefact
    from models.artefact.drift_reference import DriftReference
    from models.scoring.scorer import reference_of
    from models.training.train import train

    with _progress_bars() as progress, _logs(arguments.log_dir) as watch:
        result = train(
            NAMES,
            source.values,
            source.profiles,
            source.money,
            source.users,
            seed=arguments.seed,
            kind=arguments.scorer,
            transforms=TRANSFORMS,
            instants=source.instants,
            folds=arguments.folds,
            trials=arguments.trials,
            progress=progress,
            watch=watch,
        )
    values = result.scorer.features_of(source.values)
    everybody = result.scorer.model.predict(values, source.profiles)
    artefact = Artefact(
        # Which rows it serves is looked up when it is loaded: an artefact names its own features alone.
        scorer=replace(result.scorer, reference=reference_of(everybody[source.population]), columns=None),
        projection=source.projection,
        encoder_name=source.encoder_name,
        encoder_identity=source.encoder_identity,
        date=made,
        seed=arguments.seed,
        data=source.data,
        data_hash=result.data_hash,
        categories=source.categories,
        metrics=result.metrics,
        drift=DriftReference.fit(result.scorer.names, values, everybody),
    )
    return artefact, result.left_out


@contextmanager
def _progress_bars() -> Iterator[Progress]:
    """Show a bar for each kind of model on standard error, if that is a terminal."""
    tqdm = _library("tqdm").tqdm
    bars: dict[str, Any] = {}

    def progress(kind: str, done: int, total: int) -> None:
        if kind not in bars:
            # None shows the bar only if standard error is a terminal.
            bars[kind] = tqdm(total=total, desc=kind, file=sys.stderr, disable=None)
        bars[kind].update(done - bars[kind].n)

    try:
        yield progress
    finally:
        for bar in bars.values():
            bar.close()


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
    words += [f"--seed {arguments.seed}"] if arguments.seed else []
    words += [f"--folds {arguments.folds}"] if arguments.folds != 5 else []
    words += [f"--trials {arguments.trials}"] if arguments.trials != 10 else []
    return " ".join(words)


def _print(artefact: Artefact, folder: Path, left_out: tuple[str, ...]) -> None:
    print(f"{artefact.version}: {artefact.scorer.model.kind}, written to {folder}")
    if left_out:
        # Not in the card: it describes what the scorer has, and the same data give it whatever other features exist.
        print(f"  left out, because they do not vary in the training rows: {', '.join(left_out)}")
    for name, value in artefact.metrics.items():
        if isinstance(value, float):
            print(f"  {name:24} {value:,.4f}")
