"""`wherewithal produce`: publish NDJSON events to the input topics of a cluster."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import orjson

from streams.broker.connection import reaching
from streams.broker.publisher import Publisher
from streams.broker.topics.provisioning import make_sent_topics
from streams.cli.arguments import load_cluster_settings
from streams.exceptions import StreamsError
from streams.operating.feeder import Feeder
from streams.settings import Settings
from streams.sources.reading import check_sources, read_sources


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `produce`."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="NDJSON events")
    parser.add_argument("--json", action="store_true", help="print the account as one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Publish the files; lines that are no records become dead letters.

    Raises:
        StreamsError: not all could be published; the message says which lines were.
    """
    settings = load_cluster_settings("to publish to")
    check_sources(arguments.files)
    production = _Production()
    try:
        asyncio.run(production.run(settings, arguments.files))
    except StreamsError as error:
        raise type(error)(f"{error}{production.so_far}") from error
    except KeyboardInterrupt:
        print(f"wherewithal produce: interrupted{production.so_far}", file=sys.stderr)
        raise
    feeder = production.feeder
    if arguments.json:
        account = {"events": feeder.events, "erasures": feeder.erasures, "dead_letters": feeder.rejected}
        print(orjson.dumps(account).decode())
    else:
        print(
            f"{feeder.events - feeder.rejected:,} events and {feeder.erasures:,} erasures published, "
            f"{feeder.rejected:,} lines to the dead letters"
        )
    return 0


class _Production:
    """Publishes files one after the other.

    Attributes:
        feeder: set once the topics exist.
    """

    feeder: Feeder

    def __init__(self) -> None:
        self._file: Path | None = None

    async def run(self, settings: Settings, files: Sequence[Path]) -> None:
        """Publish the files.

        Raises:
            StreamsError: not all could be published; `so_far` tells which lines were.
        """
        partitions = (await make_sent_topics(settings)).partitions
        publisher = Publisher(settings)
        async with reaching(settings):
            await publisher.start()
        try:
            self.feeder = Feeder(settings.model_copy(update={"partitions": partitions}), publisher)
            for file in files:
                self._file = file
                await self.feeder.feed(read_sources([file]))
        finally:
            await publisher.stop()

    @property
    def so_far(self) -> str:
        """The lines published so far, in words to follow the reason of an early end; empty before the first file."""
        if self._file is None:
            return ""
        lines = f"; {self.feeder.published:,} lines were published"
        if self.feeder.reached:
            lines += f", all up to line {self.feeder.reached:,} of {self._file} among them"
        else:
            lines += f", all of what comes before {self._file} among them"
        return f"{lines}: publish what follows again, an event that repeats is counted once"
