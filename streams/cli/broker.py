"""`wherewithal broker`: the embedded broker by itself, to try a worker against."""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress
from typing import Final

from streams.broker.embedded import EmbeddedBroker
from streams.cli.common.arguments import whole_number

PORT: Final = 9092


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `broker`."""
    parser.add_argument(
        "--port",
        type=whole_number(0, 65_535),
        default=PORT,
        metavar="N",
        help=f"0 takes any free one (default: {PORT})",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the broker until it is told to stop. Its records are in memory only."""
    with EmbeddedBroker(arguments.port) as broker:
        print(f"export WHEREWITHAL_BROKER={broker.url}", flush=True)
        print("until Ctrl-C; what it holds is in memory, and gone with it", file=sys.stderr, flush=True)
        with suppress(KeyboardInterrupt):
            broker.wait()
    return 0
