"""The arguments that name the topics of a copy with another number of partitions."""

from __future__ import annotations

import argparse

from streams.operating.repartitioning.target import NAMED, settings_behind
from streams.settings import Settings


def add_target_arguments(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Declare the arguments that name the topics of the copy."""
    parser.add_argument(
        "--to-prefix", required=required, metavar="PREFIX", help="put before the name of every topic of the copy"
    )
    parser.add_argument(
        "--to-name",
        type=_name,
        action="append",
        default=[],
        metavar="TOPIC=NAME",
        help=f"exact name of one of them, may be repeated: {', '.join(NAMED)}",
    )


def target_of(settings: Settings, arguments: argparse.Namespace, partitions: int) -> Settings:
    """Return the settings of the copy that the arguments name.

    Raises:
        ConfigurationError: names that cannot be used.
    """
    return settings_behind(settings, arguments.to_prefix, dict(arguments.to_name), partitions)


def _name(text: str) -> tuple[str, str]:
    what, equals, name = text.partition("=")
    if not equals or what not in NAMED or not name:
        raise argparse.ArgumentTypeError(f"expected TOPIC=NAME with one of {', '.join(NAMED)}, found {text!r}")
    return what, name
