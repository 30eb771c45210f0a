"""The options of a training, the same for every command that trains."""

from __future__ import annotations

import argparse
import shlex
from datetime import date
from typing import TYPE_CHECKING, Final

from streams.cli.common.arguments import MAX_SEED, whole_number
from streams.exceptions import ConfigurationError

if TYPE_CHECKING:
    from streams.offline.fitting.contest import Rules

SCORERS: Final = ("loglinear", "linear", "ziln", "gbm", "ensemble")
ALL: Final = "all"

SHARE: Final = 0.2
"""The share of the users who are held out: enough to judge on, and little enough to miss in training."""

FOLDS: Final = 5
TRIALS: Final = 10


def add_training_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options that `rules_of` reads, but for `--scorer`, whose default is a command's own."""
    parser.add_argument(
        "--seed", type=whole_number(0, MAX_SEED), default=0, help="of folds, search and fits (default: 0)"
    )
    parser.add_argument(
        "--folds", type=whole_number(2), default=FOLDS, help=f"of the users trained on (default: {FOLDS})"
    )
    parser.add_argument(
        "--trials", type=whole_number(1), default=TRIALS, help=f"options tried of ziln and gbm (default: {TRIALS})"
    )
    parser.add_argument("--date", default=None, metavar="YYYY-MM-DD", help="the date in the version (default: today)")


def version_date(text: str | None) -> date:
    """Return the date that `--date` names, or today.

    Raises:
        ConfigurationError: it is no date.
    """
    try:
        return date.today() if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(f"--date: expected YYYY-MM-DD, found {text!r}") from error


def rules_of(arguments: argparse.Namespace, made: date) -> Rules:
    """Return the rules that the command line asks for.

    Args:
        arguments: with `scorer` and the options declared here.
        made: the date in the version.

    Raises:
        ConfigurationError: there are too few folds for a kind of scorer.
    """
    # Torch and trees take seconds to import, which a wrong argument or --help should not cost.
    from streams.offline.fitting.contest import Rules

    return Rules(
        kinds=SCORERS if arguments.scorer == ALL else (arguments.scorer,),
        seed=arguments.seed,
        folds=arguments.folds,
        trials=arguments.trials,
        made=made,
    )


def shop_words(arguments: argparse.Namespace) -> list[str]:
    """Return the options that say whose scorer it is, as they have to be given again."""
    words = [f"--shop {shlex.quote(arguments.shop)}"] if arguments.shop else []
    words += [f"--categories {shlex.quote(arguments.categories)}"] if arguments.categories else []
    return words


def training_words(arguments: argparse.Namespace) -> list[str]:
    """Return the options that make the same fits again, without default values."""
    words = [f"--seed {arguments.seed}"] if arguments.seed else []
    words += [f"--folds {arguments.folds}"] if arguments.folds != FOLDS else []
    words += [f"--trials {arguments.trials}"] if arguments.trials != TRIALS else []
    return words
