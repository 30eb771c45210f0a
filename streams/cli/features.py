"""`wherewithal features USER`: what the online store serves of a user now, read through Feast."""

from __future__ import annotations

import argparse
import sys

import orjson
from rich.console import Console
from rich.table import Table

from streams.settings import load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `features`."""
    parser.add_argument("user", metavar="USER", help="user id")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Print the user's features and score; return 1 if the store knows no such user."""
    settings = load_settings()
    # Feast takes seconds to import: not for a wrong setting, and not for --help.
    from features.repository import apply, read_users

    found = read_users(apply(settings.state_dir / "feast", settings.online_url), [arguments.user])
    if not found:
        print("wherewithal features: the online store knows no such user", file=sys.stderr)
        return 1
    row = found[0]
    if arguments.json:
        print(orjson.dumps(row).decode())
        return 0
    table = Table("feature", "value", title="as served now")
    for name, value in row.items():
        shown = f"[{len(value)} numbers]" if isinstance(value, list) else "-" if value is None else str(value)
        table.add_row(name, shown)
    Console().print(table)
    return 0
