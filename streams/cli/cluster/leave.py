"""`wherewithal leave`: have workers that do not come back give up their place in the group at once."""

from __future__ import annotations

import argparse
import asyncio

from streams.broker.leaving import give_up
from streams.cli.common.arguments import load_cluster_settings
from streams.exceptions import BrokerError
from streams.membership_settings import check_instance_id
from streams.name_settings import group_name
from streams.worker.stage_spec import specs_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `leave`."""
    parser.add_argument(
        "instances", type=_instance, nargs="+", metavar="INSTANCE", help="instance id of a worker that has ended"
    )


def run(arguments: argparse.Namespace) -> int:
    """Ask the broker; return 0 only if each of them had a place."""
    settings = load_cluster_settings("to leave a group of")
    instances = list(dict.fromkeys(arguments.instances))
    groups = [spec.own_settings(settings) for spec in specs_of(settings)]
    nowhere = set(instances)
    for of_group in groups:
        absent = asyncio.run(give_up(of_group, instances))
        for instance in instances:
            if instance not in absent:
                print(f"{instance} has left the group {group_name(of_group)}: its partitions go to the other workers")
        nowhere &= set(absent)
    if nowhere:
        names = " or ".join(repr(group_name(of_group)) for of_group in groups)
        raise BrokerError(
            f"expected a place of {' and of '.join(sorted(nowhere))} in the group {names}, found none: it was "
            "given up, its session has ended, or the worker runs with another id or group"
        )
    return 0


def _instance(text: str) -> str:
    try:
        return check_instance_id(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
