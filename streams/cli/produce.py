"""`wherewithal produce`: publish NDJSON events to the input topics of a cluster."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import orjson

from streams.exceptions import ConfigurationError
from streams.feeder import Feeder
from streams.lines import check_files, read_lines
from streams.provisioning import make_topics
from streams.publisher import Publisher
from streams.settings import Settings, load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `produce`."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="NDJSON events")
    parser.add_argument("--json", action="store_true", help="print the account as one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Publish the files; lines that are no records become dead letters."""
    settings = load_settings()
    if settings.embedded:
        raise ConfigurationError("WHEREWITHAL_BROKER: expected kafka://host:port, found no broker to publish to")
    check_files(arguments.files)
    feeder = asyncio.run(_produce(settings, arguments.files))
    if arguments.json:
        account = {"events": feeder.events, "erasures": feeder.erasures, "dead_letters": feeder.rejected}
        print(orjson.dumps(account).decode())
    else:
        print(
            f"{feeder.events - feeder.rejected:,} events and {feeder.erasures:,} erasures published, "
            f"{feeder.rejected:,} lines to the dead letters"
        )
    return 0


async def _produce(settings: Settings, files: list[Path]) -> Feeder:
    partitions = (await make_topics(settings)).partitions
    publisher = Publisher(settings)
    await publisher.start()
    try:
        feeder = Feeder(settings.model_copy(update={"partitions": partitions}), publisher)
        await feeder.feed(read_lines(files))
    finally:
        await publisher.stop()
    return feeder
