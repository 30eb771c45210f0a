"""`wherewithal sample`: write the bundled purchases as files of events and labels."""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import asdict
from pathlib import Path

import orjson

from streams.cli.common.arguments import share, whole_number
from streams.settings import load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sample`."""
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="new or empty")
    parser.add_argument(
        "--customers", type=whole_number(1), metavar="N", help="households, drawn by a hash of their ids (default: all)"
    )
    parser.add_argument(
        "--returns",
        type=share(none=True, of="lines"),
        default=0.0,
        metavar="SHARE",
        help="of the lines that come back, as refunds that are simulated (default: 0)",
    )
    parser.add_argument("--seed", type=whole_number(0), default=0, help="of the simulated returns (default: 0)")
    parser.add_argument("--json", action="store_true", help="print the numbers as one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Write the folder, which appears in full or not at all."""
    load_settings()
    from streams.offline.complete_journey.returns import Returns
    from streams.offline.complete_journey.writing import EVENTS_FILE, LABELS_FILE, write_journey
    from streams.offline.history.output import check_output
    from streams.offline.sample.orders import drawn

    output: Path = arguments.output
    check_output(output)
    chosen = None if arguments.customers is None else drawn(arguments.customers)
    returns = Returns(arguments.returns, seed=arguments.seed) if arguments.returns else None
    with tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=output.absolute().parent) as aside:
        made = Path(aside) / "made"
        written = write_journey(made, chosen, returns)
        made.replace(output)
    if arguments.json:
        print(orjson.dumps(asdict(written)).decode())
        return 0
    print(f"{output / EVENTS_FILE}: {written.events:,} clicks, {written.refunds:,} of them simulated refunds")
    print(f"{output / LABELS_FILE}: {written.labels:,} households with an income")
    left_out = written.left_out
    print(
        f"left out: {left_out.lines:,} lines, {left_out.no_money:,} of them without money and "
        f"{left_out.no_quantity:,} without a piece"
    )
    print("Complete Journey is simulated from real shopping patterns, as its package says: no commercial decisions.")
    return 0
