"""`wherewithal erase USER`: request an erasure, wait for it, and print the receipt."""

from __future__ import annotations

import argparse
import asyncio
import time
from datetime import UTC, datetime

import orjson

from features.exceptions import OnlineStoreURLError
from streams.cli.common.arguments import an_id, load_cluster_settings
from streams.cli.common.progress import reporting
from streams.cli.common.receipts import print_receipt, seconds
from streams.contract import ERASURES
from streams.exceptions import ConfigurationError
from streams.operating.erasing.erasing import erase
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
        "--timeout", type=seconds, default=60.0, metavar="SECONDS", help="how long the workers may take (default: 60)"
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
    at = datetime.fromtimestamp(receipt.request.timestamp / 1000, UTC).isoformat(timespec="milliseconds")
    headline = f"erasure of everything up to {at}, requested in {receipt.place}, settled by the workers"
    return print_receipt("erase", receipt, headline, "user", as_json=arguments.json)


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
