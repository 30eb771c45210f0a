"""What was refused, shown: a line per kind, and the JSON of it; and the option that says how much is too much."""

from __future__ import annotations

import argparse
import sys
from itertools import islice
from typing import Any, Final, TextIO

from streams.records.refusals import DEFAULT_SHARE, Refusals
from streams.sources.hints import hint_of
from streams.sources.places import Places

SHOWN: Final = 10
"""Kinds that are printed. JSON has all that are told apart."""


def add_max_refused(parser: argparse.ArgumentParser) -> None:
    """Declare `--max-refused`."""
    parser.add_argument(
        "--max-refused",
        type=_share,
        default=DEFAULT_SHARE,
        metavar="SHARE",
        help=f"fail if more than this share of the lines is refused, 0 to 1 (default: {DEFAULT_SHARE})",
    )


def as_json(refusals: Refusals, places: Places) -> list[dict[str, Any]]:
    """Return the kinds for JSON, the most frequent first, each with the place of its first line."""
    found = []
    for kind in refusals:
        place = places.place(kind.first)
        first = None if place is None else place.as_dict()
        found.append({"reason": kind.reason, "detail": kind.detail, "count": kind.count, "first": first})
    return found


def print_refused(refusals: Refusals, places: Places, file: TextIO | None = None) -> None:
    """Print the most frequent kinds, and how many more there are; nothing if nothing was refused."""
    out = sys.stdout if file is None else file
    if not len(refusals):
        return
    print("refused, by reason and detail, with the first line of each:", file=out)
    for kind in islice(refusals, SHOWN):
        place = places.place(kind.first)
        where = "" if place is None else f"{place}: "
        hint = hint_of(kind.detail)
        print(f"  {kind.count:>9,}  {where}{kind.reason}: {kind.detail}{f'; {hint}' if hint else ''}", file=out)
    if len(refusals) > SHOWN:
        print(f"  and {len(refusals) - SHOWN:,} more kinds", file=out)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"expected a share from 0 to 1, found {text!r}")
    return share
