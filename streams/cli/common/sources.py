"""The options that say how files of events are read, the same for every command that reads them."""

from __future__ import annotations

import argparse
import codecs
import re
import shlex
import sys
from collections.abc import Callable
from datetime import tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

from streams.exceptions import ConfigurationError
from streams.sources.finding import STANDARD_INPUT
from streams.sources.options import SourceOptions
from streams.sources.rows import MAPPED
from streams.sources.shape import Format, Shaping
from streams.terminal import shown

FILES_HELP: Final = "files or folders of events (NDJSON, JSON, CSV or Parquet, packed or not), or - for standard input"

SHOWN: Final = 10
"""Kinds of lines left out that are printed. JSON has more."""

# A column's name may hold a comma; the next pair begins with a field.
_NEXT_PAIR: Final = re.compile(r",(?=[a-z_]+=)")
_PAIR: Final = re.compile(r"([a-z_]+)=(.+)", re.DOTALL)


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that `source_options` reads."""
    group = parser.add_argument_group("how the files are read")
    group.add_argument(
        "--map",
        action="append",
        default=[],
        type=_pairs("FIELD=COLUMN", "user_id=customer,item_id=sku"),
        metavar="FIELD=COLUMN",
        help="the column of a field, several with commas between; may be repeated",
    )
    group.add_argument(
        "--set",
        action="append",
        default=[],
        type=_pairs("FIELD=VALUE", "action=purchase"),
        metavar="FIELD=VALUE",
        help="the value of a field in every event; may be repeated",
    )
    group.add_argument(
        "--bare", action="store_true", help="JSON lines are events without a topic, which follows from their fields"
    )
    group.add_argument(
        "--timezone", type=_zone, metavar="ZONE", help="of dates and of times without an offset, such as Europe/Berlin"
    )
    group.add_argument("--decimal-comma", action="store_true", help="numbers in CSV are written 1.234,50")
    group.add_argument("--integer-ids", action="store_true", help="take ids that are whole numbers as text")
    group.add_argument(
        "--format",
        type=Format,
        choices=list(Format),
        default=Format.AUTO,
        metavar="FORMAT",
        help="own, segment (RudderStack too) or ga4; auto tells it from each line (default: auto)",
    )
    group.add_argument(
        "--encoding", type=_encoding, metavar="NAME", help="of text, such as cp1252 (default: UTF-8, or as marked)"
    )


def source_options(arguments: argparse.Namespace) -> SourceOptions:
    """Return what the command line says about its files. A terminal that is one of them is told that it is read.

    Raises:
        ConfigurationError: a field is given twice.
    """
    columns = [pair for pairs in arguments.map for pair in pairs]
    constants = [pair for pairs in arguments.set for pair in pairs]
    given = [field for field, _ in columns + constants]
    if twice := sorted({field for field in given if given.count(field) > 1}):
        raise ConfigurationError(f"--map, --set: expected every field once, found `{twice[0]}` twice")
    named = vars(arguments)
    files = named.get("files") or named.get("events") or named.get("reviews") or ()
    if STANDARD_INPUT in files and sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty():
        print("reading events from the terminal, one JSON object a line; Ctrl-D ends them", file=sys.stderr)
    return SourceOptions(
        shape=Shaping(arguments.format),
        bare=arguments.bare,
        columns=dict(columns),
        constants=dict(constants),
        timezone=arguments.timezone,
        decimal_comma=arguments.decimal_comma,
        integer_ids=arguments.integer_ids,
        encoding=arguments.encoding,
    )


def source_words(arguments: argparse.Namespace) -> str:
    """Return the options as they have to be given again to read the same files; empty where none was given."""
    words = [f"--map {shlex.quote(f'{field}={column}')}" for pairs in arguments.map for field, column in pairs]
    words += [f"--set {shlex.quote(f'{field}={value}')}" for pairs in arguments.set for field, value in pairs]
    words += ["--bare"] if arguments.bare else []
    words += [f"--timezone {arguments.timezone}"] if arguments.timezone is not None else []
    words += ["--decimal-comma"] if arguments.decimal_comma else []
    words += ["--integer-ids"] if arguments.integer_ids else []
    words += [f"--format {arguments.format}"] if arguments.format is not Format.AUTO else []
    words += [f"--encoding {arguments.encoding}"] if arguments.encoding is not None else []
    return " ".join(words)


def left_out_as_json(options: SourceOptions) -> list[dict[str, Any]]:
    """Return what was left out of the files, the most frequent first."""
    return [
        {"source": source, "why": why, "lines": lines} for (source, why), lines in options.shape.left_out.most_common()
    ]


def print_left_out(options: SourceOptions) -> None:
    """Print how many lines were left out, and what they were; nothing if none was."""
    left_out = options.shape.left_out
    if not left_out:
        return
    print(f"{left_out.total():,} lines were left out:")
    for (source, why), lines in left_out.most_common(SHOWN):
        print(f"  {lines:>9,}  {shown(source)}: {why}")
    if len(left_out) > SHOWN:
        print(f"  and {len(left_out) - SHOWN:,} more kinds")


def warn_of_none(command: str, read: int) -> None:
    """Say on standard error if files hold no event; a table of a day without orders is no fault.

    Args:
        command: that has read them.
        read: number of events and erasures in them, those that are refused among them.
    """
    if not read:
        print(f"wherewithal {command}: expected events, found none: see what `wherewithal lint` says", file=sys.stderr)


def _pairs(form: str, example: str) -> Callable[[str], list[tuple[str, str]]]:
    def read(text: str) -> list[tuple[str, str]]:
        found = [_PAIR.fullmatch(part) for part in _NEXT_PAIR.split(text)]
        pairs = [(pair[1], pair[2]) for pair in found if pair is not None]
        if len(pairs) < len(found):
            raise argparse.ArgumentTypeError(f"expected {form}, such as {example}, found {text!r}")
        if strange := [field for field, _ in pairs if field not in MAPPED]:
            known = ", ".join(sorted(MAPPED))
            raise argparse.ArgumentTypeError(f"expected a field of events ({known}), found {strange[0]!r}")
        return pairs

    return read


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError) as error:
        raise argparse.ArgumentTypeError(f"expected a zone such as Europe/Berlin or UTC, found {name!r}") from error


def _encoding(name: str) -> str:
    try:
        # Other codecs are transforms, such as base64.
        " ".encode(name)
        return codecs.lookup(name).name
    except (LookupError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"expected an encoding such as cp1252 or utf-16, found {name!r}") from error
