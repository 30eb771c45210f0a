"""`wherewithal replay`: the whole pipeline over files of events, then exit."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final
from uuid import uuid4

import orjson

from streams.broker.forced_end import at_forced_end
from streams.broker.publisher import Publisher
from streams.broker.reading import drop_topics
from streams.cli.common.arguments import as_of_instant, check_outputs
from streams.cli.common.progress import reporting
from streams.cli.common.refusals import add_max_refused, as_json, print_refused
from streams.cli.common.sources import (
    FILES_HELP,
    add_source_arguments,
    left_out_as_json,
    print_left_out,
    source_options,
    warn_of_none,
)
from streams.cli.common.stopping import Stopper
from streams.exceptions import ConfigurationError
from streams.item_settings import Stages
from streams.name_settings import names_of_its_own
from streams.operating.drain import Drain
from streams.operating.feeder import Feeder
from streams.operating.read_back import (
    known_items,
    known_users,
    last_scores,
    served_capacity,
    served_features,
    served_items,
    write_ndjson,
)
from streams.operating.refused import read_refused
from streams.operating.replay_pace import ReplayPace
from streams.operating.suitability import judge_all, suitability
from streams.operating.summary import Summary, summarise
from streams.progress import Progress
from streams.records.refusals import Position, Refusals, check_share
from streams.settings import Settings, StateStore, WindowEdge, load_settings
from streams.sources.arrived import Arrived
from streams.sources.options import SourceOptions
from streams.sources.places import Place, Places
from streams.sources.reading import check_sources, packed_bytes, read_sources
from streams.worker.flow import Flow

LEAD_RECORDS: Final = 20_000
"""How many records publishing runs ahead: enough to keep every lane busy, and few enough to keep memory flat."""

STOP_S: Final = 1.2
"""Seconds that a run may take to end when it is told to. It has nothing to settle, because its results are not kept."""

STOP_AND_DROP_S: Final = 10.0
"""The same for a run on an external broker, from which it removes its topics."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `replay`."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help=FILES_HELP)
    parser.add_argument("--features", type=Path, metavar="F", help="write every user's features as served")
    parser.add_argument("--scores", type=Path, metavar="S", help="write the last score record per user")
    parser.add_argument("--capacity", type=Path, metavar="C", help="write every user's capacity as served")
    parser.add_argument("--items", type=Path, metavar="I", help="write every item's signals as served")
    parser.add_argument("--dead-letters", type=Path, metavar="D", help="write the dead letters")
    parser.add_argument(
        "--as-of", metavar="TIME", help="features as of then: epoch milliseconds, or RFC 3339 with an offset"
    )
    add_max_refused(parser)
    parser.add_argument("--json", action="store_true", help="print the summary as one JSON object")
    add_source_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Replay the files; return 0 if every input event is accounted for, else 1.

    Raises:
        ConfigurationError: `--capacity` is asked for, and no artefact estimates it; or `--items`, and none are kept.
        RefusedInputError: every event is, and more of them are refused than `--max-refused` allows.
    """
    as_of = None if arguments.as_of is None else as_of_instant(arguments.as_of)
    options = source_options(arguments)
    if arguments.capacity is not None and not load_settings().capacity_artefact:
        raise ConfigurationError(
            "--capacity: expected WHEREWITHAL_CAPACITY_ARTEFACT to name the artefact that estimates it, found it "
            "unset; set it, or leave --capacity out"
        )
    if arguments.items is not None and not load_settings().items:
        raise ConfigurationError(
            "--items: expected WHEREWITHAL_ITEMS to be true, found false; unset it, or leave --items out"
        )
    check_sources(arguments.files, options)
    outputs = (arguments.features, arguments.scores, arguments.capacity, arguments.items, arguments.dead_letters)
    check_outputs([path for path in outputs if path is not None], arguments.files)
    with Stopper("replay", STOP_S) as stopper, local_settings(stopper) as settings, reporting() as report:
        account = stopper.run(_replay(settings, arguments, options, as_of, report))
    summary, refusals, places = account.summary, account.refusals, account.places
    if arguments.json:
        duplicate = account.first_duplicate
        more = {
            "refused": as_json(refusals, places),
            "left_out": left_out_as_json(options),
            "first_duplicate": None if duplicate is None else duplicate.as_dict(),
        }
        print(orjson.dumps(summary.as_dict() | more).decode())
    else:
        print_summary(summary)
        if account.first_duplicate is not None:
            print(f"the first duplicate: {account.first_duplicate}")
        print_refused(refusals, places)
        print_left_out(options)
    warn_of_none("replay", account.lines)
    if not summary.complete:
        return 1
    check_share(refusals, account.lines, arguments.max_refused)
    return 0


@contextmanager
def local_settings(stopper: Stopper) -> Iterator[Settings]:
    """Yield settings of a run that starts empty and leaves nothing behind, even if its end is forced."""
    with tempfile.TemporaryDirectory(prefix="wherewithal-") as folder:
        forget = at_forced_end(partial(shutil.rmtree, folder, ignore_errors=True))
        settings = load_settings(
            state_dir=Path(folder),
            state_store=StateStore.MEMORY,
            window_edge=WindowEdge.EVENT,
            session_timeout_s=6.0,
            heartbeat_interval_s=0.5,
            group_instance_id=None,
            stages=Stages.BOTH,
        )
        if not settings.embedded:
            # The run has its own topics, because a replay is no member of the cluster's flow.
            prefix = f"{settings.topic_prefix}replay-{uuid4().hex[:8]}-"
            settings = settings.model_copy(update=names_of_its_own(prefix))
            stopper.patience_s = STOP_AND_DROP_S
        try:
            yield settings
        finally:
            if not settings.embedded:
                asyncio.run(drop_topics(settings))
            forget()


@dataclass(frozen=True)
class _Account:
    """The summary, and what it does not tell: which lines were refused, and how many were read, erasures included."""

    summary: Summary
    lines: int
    refusals: Refusals
    places: Places
    first_duplicate: Place | None


async def _replay(
    settings: Settings, arguments: argparse.Namespace, options: SourceOptions, as_of: int | None, report: Progress
) -> _Account:
    places = Places()
    async with Flow(settings, keep_latencies=True) as flow:
        flow.as_of = as_of
        pace = ReplayPace(report, packed_bytes(arguments.files))
        drain = Drain(flow, LEAD_RECORDS, lambda ends: pace.settled(sum(ends.values()), drain.behind(ends)))
        started = time.monotonic()
        pace.begin()
        arrivals = read_sources(arguments.files, options, pace.read)
        feeder = await feed(flow, drain, arrivals, places)
        await drain.drained(feeder.ends)
        seconds = time.monotonic() - started
        await judge_all(flow, publish=arguments.scores is not None)
        summary = summarise(flow, feeder, seconds)
        refusals = await read_refused(flow.settings, feeder.origins, places, arguments.dead_letters)
        if arguments.scores is not None:
            scores = await last_scores(flow.settings)
            write_ndjson(arguments.scores, [scores[user_id] for user_id in sorted(scores)])
        if arguments.features is not None:
            rows = await asyncio.to_thread(served_features, flow.settings, known_users(flow))
            write_ndjson(arguments.features, rows)
        if arguments.capacity is not None:
            rows = await asyncio.to_thread(served_capacity, flow.settings, known_users(flow))
            write_ndjson(arguments.capacity, rows)
        if arguments.items is not None:
            rows = await asyncio.to_thread(served_items, flow.settings, known_items(flow))
            write_ndjson(arguments.items, rows)
        for line in suitability(flow):
            print(f"wherewithal replay: {line}", file=sys.stderr)
        return _Account(
            summary,
            feeder.events + feeder.erasures,
            refusals,
            places,
            places.place(_first_duplicate(flow, feeder)),
        )


def _first_duplicate(flow: Flow, feeder: Feeder) -> Position | None:
    found = (feeder.origins.position(*key, offset) for key, offset in flow.tally.first_duplicates.items())
    return min((position for position in found if position is not None), default=None)


async def feed(flow: Flow, drain: Drain, arrivals: Iterable[Arrived], places: Places | None = None) -> Feeder:
    """Publish records, held back by unsettled records, and return the feeder with its counts.

    Args:
        flow: started.
        drain: of the flow.
        arrivals: what to publish.
        places: number the files, if the lines behind the records are asked for later.
    """
    publisher = Publisher(flow.settings)
    await publisher.start()
    try:
        feeder = Feeder(flow.settings, publisher, before_chunk=drain.hold_back, barrier=drain.drained, places=places)
        await feeder.feed(arrivals)
    finally:
        await publisher.stop()
    return feeder


def print_summary(summary: Summary) -> None:
    """Print the summary for a reader."""
    print(summary.account)
    latency = summary.event_to_score_ms
    shown = ", ".join(f"{name} {value:,.0f} ms" for name, value in latency.items() if value is not None)
    print(
        f"{summary.users:,} users, {summary.scores_out:,} scores, {summary.texts_encoded:,} texts and "
        f"{summary.titles_encoded:,} titles encoded in {summary.seconds:,.1f} s; "
        f"event to score: {shown or 'nothing scored'}"
    )
    if summary.items_account:
        print(summary.items_account)
    if not summary.complete:
        print("some events or facts are not accounted for", file=sys.stderr)
