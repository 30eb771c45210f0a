"""`wherewithal features USER`: the features of a user in the online store."""

from __future__ import annotations

import argparse
import sys

import orjson

from features.online.address import SqliteAddress, parse
from features.online.reading import read_users
from streams.cli.common.arguments import an_id
from streams.cli.common.fields import print_fields
from streams.exceptions import ConfigurationError
from streams.settings import load_settings
from streams.terminal import shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `features`."""
    parser.add_argument("user", type=an_id, metavar="USER", help="user id")
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
    print_fields("feature", "as served now", row)
    return 0
