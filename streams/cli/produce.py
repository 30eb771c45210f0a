"""`wherewithal produce`: publish events to the input topics of a cluster."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import orjson

from streams.broker.connection import reaching
from streams.broker.publisher import Publisher
from streams.broker.topics.provisioning import make_sent_topics
from streams.cli.common.arguments import load_cluster_settings
from streams.cli.common.progress import bytes_read, reporting
from streams.cli.common.refusals import add_max_refused, as_json, print_refused
from streams.cli.common.sources import (
    FILES_HELP,
    add_source_arguments,
    left_out_as_json,
    print_left_out,
    source_options,
    warn_of_none,
)
from streams.exceptions import RefusedInputError, StreamsError
from streams.operating.admission import Admission
from streams.operating.feeder import Feeder
from streams.records.decoder import Decoder
from streams.settings import Settings
from streams.sources.arrived import Arrived
from streams.sources.reading import check_sources, packed_bytes, read_sources


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `produce`."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help=FILES_HELP)
    add_max_refused(parser)
    parser.add_argument("--json", action="store_true", help="print the account as one JSON object")
    add_source_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Publish the files; lines that are no records become dead letters.

    Raises:
        RefusedInputError: too many lines are refused; the message says which lines were published before that was seen.
        StreamsError: not all could be published; the message says which lines were.
    """
    settings = load_cluster_settings("to publish to")
    options = source_options(arguments)
    check_sources(arguments.files, options)
    admission = Admission(Decoder.of(settings), arguments.max_refused)
    production = _Production()
    try:
        with reporting() as report:
            arrivals = read_sources(arguments.files, options, bytes_read(report, packed_bytes(arguments.files)))
            asyncio.run(production.run(settings, admission.admit(arrivals)))
    except RefusedInputError as error:
        print_refused(admission.refusals, admission.places, sys.stderr)
        raise RefusedInputError(f"{error}{production.so_far or '; nothing was published'}") from error
    except StreamsError as error:
        raise type(error)(f"{error}{production.so_far}") from error
    except KeyboardInterrupt:
        print(f"wherewithal produce: interrupted{production.so_far}", file=sys.stderr)
        raise
    feeder, refusals = production.feeder, admission.refusals
    if arguments.json:
        account = {
            "events": feeder.events,
            "erasures": feeder.erasures,
            "dead_letters": feeder.rejected,
            "refused": as_json(refusals, admission.places),
            "left_out": left_out_as_json(options),
        }
        print(orjson.dumps(account).decode())
    else:
        print(
            f"{feeder.events - feeder.rejected:,} events and {feeder.erasures:,} erasures published, "
            f"{feeder.rejected:,} lines to the dead letters"
        )
        if expected := refusals.total - feeder.rejected:
            print(f"of those published, the workers will refuse {expected:,}")
        print_refused(refusals, admission.places)
        print_left_out(options)
    warn_of_none("produce", feeder.events + feeder.erasures)
    return 0


class _Production:
    """Publishes files one after the other.

    Attributes:
        feeder: set once the topics exist.
    """

    feeder: Feeder

    def __init__(self) -> None:
        self._file: str | None = None

    async def run(self, settings: Settings, arrivals: Iterator[Arrived]) -> None:
        """Publish what arrives of files.

        Raises:
            StreamsError: not all could be published; `so_far` tells which lines were.
        """
        partitions = (await make_sent_topics(settings)).partitions
        publisher = Publisher(settings)
        async with reaching(settings):
            await publisher.start()
        try:
            self.feeder = Feeder(settings.model_copy(update={"partitions": partitions}), publisher)
            for file, lines in groupby(arrivals, attrgetter("file")):
                self._file = file
                await self.feeder.feed(lines)
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
