"""`wherewithal features USER`: the features of a user in the online store."""

from __future__ import annotations

import argparse
import sys

import orjson
from rich.console import Console
from rich.table import Table

from features.online.address import SqliteAddress, parse
from features.online.reading import read_users
from streams.cli.common.arguments import user_id
from streams.exceptions import ConfigurationError
from streams.settings import load_settings
from streams.terminal import literal, shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `features`."""
    parser.add_argument("user", type=user_id, metavar="USER", help="user id")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Print the user's features and score; return 1 if the store knows no such user."""
    settings = load_settings()
    address = parse(settings.online_url)
    if isinstance(address, SqliteAddress) and not address.path.exists():
        raise ConfigurationError(
            f"WHEREWITHAL_STATE_DIR, WHEREWITHAL_ONLINE_STORE: expected the file that the workers write, found none at "
            f"{address.path}; give them the values that the workers have"
        )
    found = read_users(settings.online_url, [arguments.user])
    if not found:
        print("wherewithal features: the online store knows no such user", file=sys.stderr)
        return 1
    row = found[0]
    if arguments.json:
        print(shown(orjson.dumps(row).decode()))
        return 0
    table = Table("feature", "value", title="as served now")
    for name, value in row.items():
        text = f"[{len(value)} numbers]" if isinstance(value, list) else "-" if value is None else str(value)
        table.add_row(name, literal(text))
    Console().print(table)
    return 0
