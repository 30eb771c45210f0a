"""`wherewithal republish`: have the workers publish every user and item again, and wait until they have."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

import orjson

from streams.cli.common.arguments import whole_number
from streams.cli.common.progress import reporting
from streams.operating.republish_client import own_worker, republish, worker_url
from streams.progress import Progress
from streams.settings import load_settings
from streams.worker.republishing.progress import Progress as OfWorker


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `republish`."""
    parser.add_argument(
        "--worker",
        type=_worker,
        nargs="+",
        action="extend",
        metavar="URL",
        help="http://host:port of every worker's metrics (default: that of the settings)",
    )
    parser.add_argument(
        "--users-per-s",
        type=whole_number(1),
        metavar="N",
        help="users that each worker publishes in a second, at most (default: its WHEREWITHAL_REFRESH_USERS_PER_S)",
    )
    parser.add_argument("--json", action="store_true", help="print what was published as one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Ask and wait; return 0 only if every user of every partition was published."""
    workers = list(dict.fromkeys(arguments.worker or [own_worker(load_settings())]))
    began = time.monotonic()
    with reporting() as report:
        found = republish(workers, arguments.users_per_s, _telling(report))
    summary = {
        "users": sum(progress.users for progress in found),
        "erased": sum(progress.erased for progress in found),
        "items": sum(progress.items for progress in found),
        "partitions": len({number for progress in found for number in progress.finished}),
        "workers": len(found),
        "seconds": round(time.monotonic() - began, 1),
    }
    if arguments.json:
        print(orjson.dumps(summary).decode())
    else:
        print(
            "published {users} users and {items} items again and removed {erased} erased users, "
            "in {partitions} partitions of {workers} workers, in {seconds} s".format(**summary)
        )
    return 0


def _worker(text: str) -> str:
    try:
        return worker_url(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _telling(report: Progress) -> Callable[[Sequence[OfWorker]], None]:
    """Return a function that reports how far the workers are: no worker knows how many users or items it has."""

    def tell(found: Sequence[OfWorker]) -> None:
        published = sum(progress.users + progress.erased + progress.items for progress in found)
        report("users and items published again", published, None)
        through = sum(len(progress.finished) for progress in found)
        of = sum(len(progress.partitions) for progress in found)
        # Of a single one there is nothing to tell before the end.
        if of > 1:
            report("partitions gone through", through, of)

    return tell
