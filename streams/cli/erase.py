"""`wherewithal erase USER`: request an erasure, wait for it, and print the receipt."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from datetime import UTC, datetime

import orjson

from features.exceptions import OnlineStoreURLError
from streams.cli.common.arguments import an_id, load_cluster_settings
from streams.cli.common.progress import reporting
from streams.contract import ERASURES
from streams.exceptions import ConfigurationError
from streams.operating.erasing.erasing import erase
from streams.operating.erasing.receipt import Receipt
from streams.records.decoder import Decoder
from streams.records.events import Erasure
from streams.records.rejection import Rejection
from streams.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `erase`."""
    parser.add_argument("user", type=an_id, metavar="USER", help="user id")
    parser.add_argument(
        "--timestamp",
        metavar="TIME",
        help="events up to then stay refused: epoch milliseconds, or RFC 3339 with an offset (default: now)",
    )
    parser.add_argument(
        "--timeout", type=_seconds, default=60.0, metavar="SECONDS", help="how long the workers may take (default: 60)"
    )
    parser.add_argument("--json", action="store_true", help="print the receipt as one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Erase the user; return 0 only if every place was read back clean."""
    settings = load_cluster_settings("to publish to")
    request = _request(settings, arguments.user, arguments.timestamp)
    try:
        with reporting() as report:
            receipt = asyncio.run(erase(settings, request, arguments.timeout, report))
    except OnlineStoreURLError as error:
        raise ConfigurationError(f"WHEREWITHAL_ONLINE_STORE: {error}") from error
    if arguments.json:
        print(orjson.dumps(receipt.as_dict()).decode())
    else:
        _print(receipt)
    for name, finding in receipt.removed.items():
        if finding.remains is not None:
            print(f"wherewithal erase: not verified, {name} ({finding.where}): {finding.remains}", file=sys.stderr)
    return 0 if receipt.verified else 1


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError("expected a positive number of seconds")
    return seconds


def _request(settings: Settings, user_id: str, timestamp: str | None) -> Erasure:
    """Return the request, checked as a worker would check it.

    Raises:
        ConfigurationError: a worker would refuse the user id or the time.
    """
    now = int(time.time() * 1000)
    when: int | str = now if timestamp is None else timestamp
    try:
        if timestamp is not None and timestamp.isascii() and timestamp.removeprefix("-").isdecimal():
            when = int(timestamp)
        key = user_id.encode()
        value = orjson.dumps({"user_id": user_id, "timestamp": when})
    except (ValueError, TypeError) as error:
        raise ConfigurationError("expected a user id in UTF-8 and a time of at most 64 bits, found another") from error
    decoded = Decoder.of(settings).decode(ERASURES, key, value, now)
    if isinstance(decoded, Rejection):
        raise ConfigurationError(decoded.detail)
    assert isinstance(decoded, Erasure)
    return decoded


def _print(receipt: Receipt) -> None:
    at = datetime.fromtimestamp(receipt.request.timestamp / 1000, UTC).isoformat(timespec="milliseconds")
    print(f"erasure of everything up to {at}, requested in {receipt.place}, settled by the workers")
    for name, finding in receipt.removed.items():
        print(f"  {'removed' if finding.remains is None else 'NOT VERIFIED':12} {name:19} {finding.where}")
    for kept in receipt.kept:
        print(f"  {'kept':12} {kept.place:19} {kept.holds}; {kept.lifetime.until}")
    if receipt.served_before is False:
        print("nothing of this user was served before the request: check the id, if that is a surprise")
    if receipt.revision:
        print(f"the user exists again: {receipt.revision} newer events were applied since the erasure")
