"""`wherewithal acls`: print the commands that give a login the least rights it needs."""

from __future__ import annotations

import argparse
from itertools import chain

from streams.broker.rights import COMMANDS, REKEY, REPARTITION, Operation, Resource, command_line, joined, rights_of
from streams.broker.tools import servers_of
from streams.cli.common.copy_target import add_target_arguments, target_of
from streams.exceptions import ConfigurationError
from streams.settings import load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `acls`."""
    parser.add_argument("principal", metavar="PRINCIPAL", help="such as User:worker, or the name of a user alone")
    parser.add_argument(
        "--command",
        dest="commands",
        action="append",
        choices=COMMANDS,
        help="what it is to run, may be repeated (default: worker)",
    )
    add_target_arguments(parser, required=False)
    parser.add_argument(
        "--create",
        action="store_true",
        help="add CREATE on the topics, for a worker or a repartition that makes those missing",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print one command of `kafka-acls.sh` for each topic and group."""
    principal = arguments.principal
    if not principal or any(char.isspace() or not char.isprintable() for char in principal):
        raise ConfigurationError("PRINCIPAL: expected a name such as User:worker, found none or one with spaces")
    principal = principal if ":" in principal else f"User:{principal}"
    settings = load_settings()
    commands = arguments.commands or ["worker"]
    if REKEY in commands and not settings.rekey_topics:
        raise ConfigurationError(
            "WHEREWITHAL_REKEY_SOURCES: expected the topics that rekey reads beside --command rekey, found none"
        )
    target = None
    if REPARTITION in commands:
        if arguments.to_prefix is None:
            raise ConfigurationError("--to-prefix: expected that of the copy beside --command repartition, found none")
        target = target_of(settings, arguments, settings.partitions)
    for right in joined(chain.from_iterable(rights_of(command, settings, target) for command in commands)):
        if arguments.create and right.resource is Resource.TOPIC:
            right = right._replace(operations=right.operations | {Operation.CREATE})
        print(command_line(right, principal, servers_of(settings)))
    return 0
