"""`wherewithal features USER`, `features --item ITEM`: what the online store serves."""

from __future__ import annotations

import argparse
import sys

import orjson

from features.online.address import SqliteAddress, parse
from features.online.reading import read_items, read_users
from streams.cli.common.arguments import an_id
from streams.cli.common.fields import print_fields
from streams.exceptions import ConfigurationError
from streams.settings import load_settings
from streams.terminal import shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `features`."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("user", type=an_id, nargs="?", metavar="USER", help="user id")
    which.add_argument("--item", type=an_id, metavar="ITEM", help="item id, in place of a user")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Print what is served of a user or an item; return 1 if the store knows no such one."""
    settings = load_settings()
    address = parse(settings.online_url)
    if isinstance(address, SqliteAddress) and not address.path.exists():
        raise ConfigurationError(
            f"WHEREWITHAL_STATE_DIR, WHEREWITHAL_ONLINE_STORE: expected the file that the workers write, found none at "
            f"{address.path}; give them the values that the workers have"
        )
    if arguments.item is not None:
        entity, found = "item", read_items(settings.online_url, [arguments.item])
    else:
        entity, found = "user", read_users(settings.online_url, [arguments.user])
    if not found:
        print(f"wherewithal features: the online store knows no such {entity}", file=sys.stderr)
        return 1
    row = found[0]
    if arguments.json:
        print(shown(orjson.dumps(row).decode()))
        return 0
    print_fields("feature", "as served now", row)
    return 0
