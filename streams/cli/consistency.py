"""`wherewithal consistency`: compare the log of served rows with a history that is folded again."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from streams.cli.common.arguments import ITEM, add_entity
from streams.cli.common.progress import reporting
from streams.cli.common.refusals import as_json, print_refused
from streams.cli.common.sources import (
    FILES_HELP,
    add_source_arguments,
    left_out_as_json,
    print_left_out,
    source_options,
)
from streams.exceptions import ConfigurationError
from streams.progress import Progress
from streams.settings import load_settings
from streams.terminal import shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `consistency`."""
    parser.add_argument("log", type=Path, metavar="LOG", help="the folder that WHEREWITHAL_SERVED_LOG named")
    parser.add_argument("events", nargs="+", type=Path, metavar="EVENTS", help=f"{FILES_HELP}; in order of arrival")
    add_entity(parser, "rows")
    parser.add_argument("--limit", type=int, default=20, metavar="N", help="differences and names shown (default: 20)")
    parser.add_argument("--json", action="store_true", help="print the report as one JSON object")
    add_source_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Compare; return 0 if no logged row contradicts the history, else 1."""
    from streams.sources.reading import check_sources

    if arguments.limit < 0:
        raise ConfigurationError(f"--limit: expected at least 0, found {arguments.limit}")
    settings = load_settings()
    options = source_options(arguments)
    check_sources(arguments.events, options)
    # Torch takes a second to import, which a wrong argument or --help should not cost.
    from streams.inference.loading import load_inference
    from streams.offline.history.consistency import compare
    from streams.offline.history.folding import History
    from streams.offline.history.item_consistency import compare_items
    from streams.offline.history.items import ItemHistory
    from streams.offline.history.log_parts import log_parts
    from streams.offline.history.refused import Refused
    from streams.sources.reading import plain_bytes
    from streams.telemetry.metrics import Metrics
    from streams.telemetry.served_log import ITEMS_FOLDER

    of_items = arguments.entity == ITEM
    parts = log_parts(arguments.log / ITEMS_FOLDER if of_items else arguments.log)
    inference = load_inference(settings, Metrics(), offline=True)

    refused = Refused()

    async def work(folder: Path, progress: Progress) -> dict[str, Any]:
        await inference.batcher.start()
        try:
            files = [*arguments.events]
            history = History(settings, inference, files, folder, options, refused, progress, keeps_lives=of_items)
            if not of_items:
                return asdict(await compare(history, parts, inference.encoder, arguments.limit))
            (folder / ITEMS_FOLDER).mkdir()
            items = ItemHistory(history, folder / ITEMS_FOLDER, plain_bytes(files))
            return asdict(await compare_items(history, items, parts, arguments.limit))
        finally:
            await inference.batcher.stop()

    with tempfile.TemporaryDirectory(prefix="wherewithal-") as folder, reporting() as progress:
        report = asyncio.run(work(Path(folder), progress))
    del report["limit"]
    report["differences"] = [_readable(difference, arguments.entity) for difference in report["differences"]]
    report |= {f"{name}_{arguments.entity}s": report.pop(f"{name}_keys") for name in ("extra", "missing")}
    if arguments.json:
        document = report | {
            "refused": as_json(refused.refusals, refused.places),
            "left_out": left_out_as_json(options),
        }
        print(shown(orjson.dumps(document).decode()))
    else:
        _print(report, arguments.entity)
        print_refused(refused.refusals, refused.places)
        print_left_out(options)
    return 1 if report["mismatches"] else 0


def _readable(difference: Any, entity: str) -> dict[str, Any]:
    fields = difference._asdict()
    pairs = fields.pop("features").items()
    return {
        f"{entity}_id": fields["key"],
        "event_time": fields["instant"],
        "revision": fields["revision"],
        "emitted_at": fields["emitted_at"],
        "features": {name: {"served": served, "offline": offline} for name, (served, offline) in pairs},
    }


def _print(report: dict[str, Any], entity: str) -> None:
    print(
        f"{report['logged']:,} rows logged = {report['equal']:,} equal + {report['late']:,} before late arrivals + "
        f"{report['mismatches']:,} mismatches + {report['extra']:,} extra + {report['erased']:,} erased since"
    )
    print(f"{report['missing']:,} {entity}s of the history are sampled (share {report['share']:g}) and not in the log")
    if report["vectors_not_compared"]:
        print(f"{report['vectors_not_compared']:,} vectors come from another encoder and were not compared")
    if report["features_not_logged"]:
        names = ", ".join(report["features_not_logged"])
        print(f"parts of the log that an earlier release wrote lack {names}, which were not compared there")
    for difference in report["differences"]:
        print(f"{shown(difference[f'{entity}_id'])} at {difference['event_time']}, revision {difference['revision']}:")
        for name, values in difference["features"].items():
            pair = "" if name.endswith("_vector") else f": served {values['served']}, offline {values['offline']}"
            print(f"  {name}{pair}")
