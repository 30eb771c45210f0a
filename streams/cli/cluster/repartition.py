"""`wherewithal repartition`: copy what is known of users and items to topics with another number of partitions."""

from __future__ import annotations

import argparse
import asyncio
from typing import Any, Final

import orjson

from streams.cli.common.arguments import load_cluster_settings, whole_number
from streams.cli.common.copy_target import add_target_arguments, target_of
from streams.cli.common.progress import reporting
from streams.contract import DEAD_LETTERS, INPUTS, ITEM_SIGNALS, journal_name, published, rekey_group_name, topic_name
from streams.name_settings import TOPIC_SETTINGS, group_name, items_group_name
from streams.operating.repartitioning.repartitioning import Repartitioned, repartition
from streams.settings import EARLIEST, Settings, variable

MAX_PARTITIONS: Final = 10_000
"""More than a topic of any size needs. A broker would try to make a million, and suffer for it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `repartition`."""
    parser.add_argument(
        "--partitions",
        type=whole_number(1, MAX_PARTITIONS),
        required=True,
        metavar="N",
        help="partitions of every topic of the copy; more than now, or fewer",
    )
    add_target_arguments(parser, required=True)
    parser.add_argument("--json", action="store_true", help="print what was copied as one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Copy, compare, and say what comes next."""
    settings = load_cluster_settings("to copy within")
    target = target_of(settings, arguments, arguments.partitions)
    with reporting() as progress:
        done = asyncio.run(repartition(settings, target, progress))
    if arguments.json:
        print(orjson.dumps(report(done)).decode())
    else:
        _print(done)
    return 0


def report(done: Repartitioned) -> dict[str, Any]:
    """Return the object that `--json` prints."""
    return {
        "partitions": {"from": done.source.partitions, "to": done.target.partitions},
        **{table.what: {"count": table.digest.rows, "digest": table.digest.hexdigest} for table in done.tables},
        "settings": changes(done.source, done.target),
    }


def changes(source: Settings, target: Settings) -> dict[str, str | None]:
    """Return the variables that differ for workers, producers and `rekey` of the copy; None for one to be unset."""
    found: dict[str, str | None] = {}
    for field in ("topic_prefix", "group_id", "items_group_id", *TOPIC_SETTINGS.values()):
        before, after = getattr(source, field), getattr(target, field)
        if before != after:
            found[variable(field)] = after
    if rekey_group_name(source) != rekey_group_name(target):
        # In a group that is new, `rekey` would bring everything that the shop's topics still hold once more.
        found[variable("rekey_group_id")] = rekey_group_name(source)
    found[variable("partitions")] = str(target.partitions)
    if source.start_from != EARLIEST:
        found[variable("start_from")] = None
    if source.online_store is None:
        # It lies in the state folder, and the copy needs a new one.
        found[variable("online_store")] = source.online_url
    return found


def _print(done: Repartitioned) -> None:
    source, target = done.source, done.target
    for table in done.tables:
        print(
            f"{table.digest.rows:,} {table.what} copied from {source.partitions} to {target.partitions} partitions and "
            f"read back, digest {table.digest.hexdigest}"
        )
    print("What comes next, in this order:")
    print("1. Start the workers with these variables changed:")
    for name, value in changes(source, target).items():
        print(f"     unset {name}" if value is None else f"     {name}={value}")
    print(f"     {variable('state_dir')}=a new folder for each, where the state is recovered from the copy")
    items = f", that of items {items_group_name(target)}" if target.items else ""
    print(f"   Their group is {group_name(target)}{items}. With access control lists, `wherewithal acls` prints by")
    print("   these variables the rights that workers, producers and readers need of the copy.")
    print("2. When they are ready, have the producers publish by key (murmur2) to:")
    for topic in INPUTS:
        print(f"     {topic_name(source, topic)} -> {topic_name(target, topic)}, partitions {target.partitions}")
    print(f"   `rekey` takes the same variables and stays in its group, {rekey_group_name(source)}.")
    print("3. Have the readers of each read the old topic to its end, then the new one from its beginning:")
    for topic in (*published(source), *((ITEM_SIGNALS,) if source.items else ())):
        print(f"     {topic_name(source, topic)} -> {topic_name(target, topic)}")
    print(
        f"The online store stays, and so do the old topics, with {topic_name(source, DEAD_LETTERS)} and "
        f"{journal_name(source)}: dead letters can be redriven from there only while the old workers are in use. "
        "Delete the old topics when the new ones have proved themselves: no erasure reaches them any more."
    )
