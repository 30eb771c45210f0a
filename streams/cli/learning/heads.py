"""The heads that `train` and `evaluate` know, and the options that belong to some of them alone."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from features.online.probing import writable
from models.artefact.files import require_own
from models.exceptions import ArtefactError
from streams.cli.common.arguments import whole_number
from streams.cli.common.refusals import add_max_refused
from streams.cli.common.sources import FILES_HELP, add_source_arguments
from streams.exceptions import ConfigurationError

SPEND: Final = "spend"
CAPACITY: Final = "capacity"
SENTIMENT: Final = "sentiment"
RISK: Final = "risk"

HEADS: Final = (SPEND, CAPACITY, SENTIMENT)
"""Those that are trained. Risk is not: its tests are exact, and it is only judged."""


TEXTS: Final = 20_000
"""Reviews that a head of sentiment reads at most, unless told: more teach it little, and take the encoder hours."""


class Belongs(NamedTuple):
    """An option that only some heads take.

    Attributes:
        heads: that take it.
        default: its value where it was not given.
    """

    heads: tuple[str, ...]
    default: Any = None


def add_head_arguments(parser: argparse.ArgumentParser, heads: Sequence[str] = HEADS) -> None:
    """Declare `--head`, and the options by which the head of sentiment reads files.

    Args:
        parser: of the command.
        heads: that the command knows.
    """
    parser.add_argument(
        "--head",
        choices=heads,
        default=SPEND,
        help="money to be spent, where a user stands in the order of labels, whether a review praises"
        + (", or campaigns of reviews" if RISK in heads else "")
        + f" (default: {SPEND})",
    )
    parser.add_argument(
        "--reviews",
        nargs="+",
        type=Path,
        metavar="EVENTS",
        help=f"with --head sentiment: {FILES_HELP} (default: reviews that packages ship)",
    )
    _add_reading(parser)


def _add_reading(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--texts",
        type=whole_number(1),
        default=TEXTS,
        metavar="N",
        help=f"with --head sentiment: reviews to read of each language or shop, at most, by hash (default: {TEXTS:,})",
    )
    add_max_refused(parser)
    add_source_arguments(parser)


def of_reading() -> dict[str, Belongs]:
    """Return the options by which the head of sentiment reads files."""
    parser = argparse.ArgumentParser()
    _add_reading(parser)
    return {name: Belongs((SENTIMENT,), default) for name, default in vars(parser.parse_args([])).items()}


def check_head(arguments: argparse.Namespace, options: Mapping[str, Belongs]) -> None:
    """Refuse options that belong to another head.

    Args:
        arguments: with `head` and the options.
        options: those that some heads do not take, by the names of their attributes.

    Raises:
        ConfigurationError: there is such an option.
    """
    for name, belongs in options.items():
        if arguments.head not in belongs.heads and getattr(arguments, name) != belongs.default:
            raise ConfigurationError(
                f"--{name.replace('_', '-')}: expected --head {' or '.join(belongs.heads)} beside it, found "
                f"{arguments.head}; leave it out"
            )


def check_folder(folder: Path, head: str) -> None:
    """Refuse a folder that an artefact cannot be written into, before the hours that it may take to make one.

    Raises:
        ConfigurationError: it is a file, cannot be written, or holds files that are not of this head.
    """
    if not writable(folder.absolute()):
        raise ConfigurationError(f"--output: expected a folder that can be written, found {folder}; name another")
    try:
        require_own(folder, head)
    except ArtefactError as error:
        raise ConfigurationError(f"--output: {error}") from error
