"""`wherewithal lint`: say what a worker would make of files of events, before anything is made of them."""

from __future__ import annotations

import argparse
import textwrap
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from streams.cli.common.refusals import add_max_refused, as_json, print_refused
from streams.cli.common.sources import FILES_HELP, add_source_arguments, left_out_as_json, source_options
from streams.exceptions import RefusedInputError
from streams.settings import load_settings
from streams.terminal import shown

if TYPE_CHECKING:
    from streams.offline.linting.checking import Checking
    from streams.offline.linting.findings import Finding
    from streams.sources.options import SourceOptions
    from streams.sources.shape import Shaping

SHOWN: Final = 40
"""Sources that are printed. JSON has more."""

WIDTH: Final = 80
"""Columns of a screen that is wide enough."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `lint`."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help=FILES_HELP)
    add_max_refused(parser)
    parser.add_argument("--json", action="store_true", help="print the report as one JSON object")
    add_source_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Check the files.

    Raises:
        RefusedInputError: too much is refused, or there is no event.
    """
    from streams.cli.common.progress import bytes_read, reporting
    from streams.offline.linting.checking import Checking
    from streams.offline.linting.findings import find
    from streams.records.decoder import Decoder
    from streams.records.refusals import check_share
    from streams.sources.reading import check_sources, packed_bytes, read_sources

    settings = load_settings()
    options = source_options(arguments)
    check_sources(arguments.files, options)
    checking = Checking(Decoder.of(settings), options.shape, int(time.time() * 1000))
    with reporting() as report:
        progress = bytes_read(report, packed_bytes(arguments.files))
        checking.take_all(read_sources(arguments.files, options, progress))
    findings = find(checking.portrait, checking.places, settings.currency)
    if arguments.json:
        print(orjson.dumps(_as_dict(checking, options, findings)).decode())
    else:
        _print(checking, options.shape, findings)
    judged = checking.events + checking.erasures + checking.refusals.total
    if not judged:
        raise RefusedInputError("expected events, found none: a line is left out or the files are empty")
    check_share(checking.refusals, judged, arguments.max_refused)
    return 0


def _as_dict(checking: Checking, options: SourceOptions, findings: Iterable[Finding]) -> dict[str, Any]:
    portrait = checking.portrait
    return {
        "lines": checking.lines + options.shape.left_out.total(),
        "events": checking.events,
        "erasures": checking.erasures,
        "users": len(portrait.users),
        "sampled": portrait.is_sampled,
        "oldest": portrait.oldest,
        "newest": portrait.newest,
        "sources": [
            {"source": name, "lines": source.lines, "becomes": source.becomes, "refused": source.refused}
            for name, source in checking.sources.items()
        ],
        "left_out": left_out_as_json(options),
        "refused": as_json(checking.refusals, checking.places),
        "findings": [{"features": found.features, "why": found.why} for found in findings],
    }


def _print(checking: Checking, shaping: Shaping, findings: list[Finding]) -> None:
    _print_sources(checking, shaping)
    portrait = checking.portrait
    about = "about " if portrait.is_sampled else ""
    span = "" if portrait.oldest is None else f", from {_day(portrait.oldest)} to {_day(portrait.newest)}"
    account = (
        f"{checking.lines + shaping.left_out.total():,} lines: {checking.events:,} events of {about}"
        f"{len(portrait.users):,} users{span}; {checking.refusals.total:,} refused, "
        f"{shaping.left_out.total():,} left out"
    )
    print(f"\n{_filled(account)}")
    if len(checking.refusals):
        print()
        print_refused(checking.refusals, checking.places)
    if findings:
        print("\nfeatures that mean less on these events:")
        for found in findings:
            text = f"{', '.join(found.features)}: {found.why}" if found.features else found.why
            print(_filled(text, "  - ", "    "))


def _filled(text: str, first: str = "", others: str = "") -> str:
    # Names of files and features stay in one piece.
    wrapper = textwrap.TextWrapper(
        WIDTH, initial_indent=first, subsequent_indent=others, break_long_words=False, break_on_hyphens=False
    )
    return wrapper.fill(text)


def _print_sources(checking: Checking, shaping: Shaping) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("source", "becomes", box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for name in ("lines", "events", "refused"):
        table.add_column(name, justify="right", no_wrap=True)
    rows = _rows(checking, shaping)
    for source, becomes, *numbers in rows[:SHOWN]:
        table.add_row(Text(shown(source), overflow="fold"), Text(becomes), *numbers)
    console = Console(highlight=False)
    console.print(table)
    if len(rows) > SHOWN:
        console.print(f"and {len(rows) - SHOWN:,} more rows (--json has them)")


def _rows(checking: Checking, shaping: Shaping) -> list[tuple[str, str, str, str, str]]:
    rows = []
    for name, source in sorted(checking.sources.items(), key=lambda item: -item[1].lines):
        first, *others = source.becomes.most_common() or [("", 0)]
        rows.append((name, first[0], f"{source.lines:,}", f"{first[1]:,}", f"{source.refused:,}"))
        rows += [("", what, "", f"{events:,}", "") for what, events in others]
    left_out = shaping.left_out.most_common()
    return rows + [(name, f"left out: {why}", f"{lines:,}", "", "") for (name, why), lines in left_out]


def _day(timestamp: int | None) -> str:
    if timestamp is None:
        return "never"
    return datetime.fromtimestamp(timestamp / 1000, UTC).strftime("%Y-%m-%d")
