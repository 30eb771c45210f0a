"""`wherewithal topics`: say which topics have to be made and why, and make them."""

from __future__ import annotations

import argparse
import asyncio

from streams.broker.topics.admin import Admin
from streams.broker.topics.planning import planned
from streams.broker.topics.survey import Survey, survey
from streams.cli.common.arguments import load_cluster_settings
from streams.exceptions import BrokerError
from streams.operating.topics_report import Report, missing, report, report_unseen, shared_partitions
from streams.settings import Settings, load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `topics`; names, partitions and replicas come from the environment."""
    parser.add_argument(
        "--go", action="store_true", help="make those that are missing; one that exists is never changed"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the script; return 1 if a topic is missing, or is such that a worker would refuse it.

    Raises:
        StreamsError: the broker cannot be reached, or does not make a topic.
    """
    settings = load_cluster_settings("to make topics on") if arguments.go else load_settings()
    if settings.embedded:
        _print(report_unseen(settings))
        return 0
    try:
        found, made = asyncio.run(_look(settings, go=arguments.go))
    except BrokerError:
        if not arguments.go:
            # Whoever asks is often not who may reach the broker: the commands are for somebody else to run.
            _print(report_unseen(settings))
        raise
    script = report(settings, found, made)
    _print(script)
    return 0 if script.well else 1


async def _look(settings: Settings, *, go: bool) -> tuple[Survey, list[str]]:
    names = [plan.name for plan in planned(settings)]
    async with Admin(settings) as admin:
        found = await survey(admin, names)
        to_make = missing(settings, found)
        if not go or not to_make:
            return found, []
        partitions = shared_partitions(settings, found)
        await admin.create([plan.made(partitions, settings.replication) for plan in to_make])
        made = [plan.name for plan in to_make]
        await admin.led(made)
        return await survey(admin, names), made


def _print(script: Report) -> None:
    print("\n".join(script.lines), flush=True)
