"""`wherewithal replay`: the whole pipeline over NDJSON files, then exit."""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import orjson

from streams.broker.forced_end import at_forced_end
from streams.broker.publisher import Publisher
from streams.broker.reading import drop_topics
from streams.cli.stopping import Stopper
from streams.exceptions import ConfigurationError
from streams.name_settings import names_of_its_own
from streams.operating.drain import Drain
from streams.operating.feeder import Feeder
from streams.operating.read_back import dead_letters, known_users, last_scores, served_features, write_ndjson
from streams.records.events import LATEST_MS
from streams.records.timestamps import parse_rfc3339
from streams.settings import Settings, StateStore, WindowEdge, load_settings
from streams.sources.arrived import Arrived
from streams.sources.reading import check_sources, read_sources
from streams.telemetry.tally import Fate
from streams.worker.flow import Flow

LEAD_RECORDS: Final = 20_000
"""How many records publishing runs ahead: enough to keep every lane busy, and few enough to keep memory flat."""

STOP_S: Final = 1.2
"""Seconds that a run may take to end when it is told to. It has nothing to settle, because its results are not kept."""

STOP_AND_DROP_S: Final = 10.0
"""The same for a run on an external broker, from which it removes its topics."""

EARLIEST_MS: Final = parse_rfc3339("0001-01-01T00:00:00Z")
_INTEGER: Final = re.compile("-?[0-9]{1,18}")


@dataclass(frozen=True)
class Summary:
    """The account of a replayed input, in the terms of the contract."""

    events_in: int
    events_applied: int
    duplicates: int
    dead_letters: int
    erased: int
    users: int
    scores_out: int
    texts_encoded: int
    seconds: float
    event_to_score_ms: dict[str, float | None]

    @property
    def complete(self) -> bool:
        """Whether every input event is accounted for."""
        return self.events_in == self.events_applied + self.duplicates + self.dead_letters + self.erased

    def as_dict(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        latency = self.event_to_score_ms
        rate = round(self.events_in / self.seconds, 1) if self.seconds else 0.0
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return fields | {"events_per_second": rate, "event_to_score_ms": latency}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `replay`."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="NDJSON events")
    parser.add_argument("--features", type=Path, metavar="F", help="write every user's features as served")
    parser.add_argument("--scores", type=Path, metavar="S", help="write the last score record per user")
    parser.add_argument("--dead-letters", type=Path, metavar="D", help="write the dead letters")
    parser.add_argument(
        "--as-of", metavar="TIME", help="features as of then: epoch milliseconds, or RFC 3339 with an offset"
    )
    parser.add_argument("--json", action="store_true", help="print the summary as one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Replay the files; return 0 if every input event is accounted for, else 1."""
    as_of = None if arguments.as_of is None else _instant(arguments.as_of)
    check_sources(arguments.files)
    outputs = (arguments.features, arguments.scores, arguments.dead_letters)
    _check_outputs([path for path in outputs if path is not None], arguments.files)
    with Stopper("replay", STOP_S) as stopper, local_settings(stopper) as settings:
        summary = stopper.run(_replay(settings, arguments, as_of))
    if arguments.json:
        print(orjson.dumps(summary.as_dict()).decode())
    else:
        print_summary(summary)
    return 0 if summary.complete else 1


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


async def _replay(settings: Settings, arguments: argparse.Namespace, as_of: int | None) -> Summary:
    async with Flow(settings, keep_latencies=True) as flow:
        flow.as_of = as_of
        drain = Drain(flow, LEAD_RECORDS)
        started = time.monotonic()
        feeder = await feed(flow, drain, read_sources(arguments.files))
        await drain.drained(feeder.ends)
        seconds = time.monotonic() - started
        summary = summarise(flow, feeder, seconds)
        if arguments.scores is not None:
            scores = await last_scores(flow.settings)
            write_ndjson(arguments.scores, [scores[user_id] for user_id in sorted(scores)])
        if arguments.dead_letters is not None:
            write_ndjson(arguments.dead_letters, await dead_letters(flow.settings))
        if arguments.features is not None:
            folder = flow.settings.state_dir / "feast"
            rows = await asyncio.to_thread(served_features, flow.settings, folder, known_users(flow))
            write_ndjson(arguments.features, rows)
    return summary


async def feed(flow: Flow, drain: Drain, arrivals: Iterable[Arrived]) -> Feeder:
    """Publish records, held back by unsettled records, and return the feeder with its counts."""
    publisher = Publisher(flow.settings)
    await publisher.start()
    try:
        feeder = Feeder(flow.settings, publisher, before_chunk=drain.hold_back, barrier=drain.drained)
        await feeder.feed(arrivals)
    finally:
        await publisher.stop()
    return feeder


def summarise(flow: Flow, feeder: Feeder, seconds: float) -> Summary:
    """Return the account of a drained flow."""
    fates = flow.tally.fates
    return Summary(
        events_in=feeder.events,
        events_applied=fates[Fate.APPLIED],
        duplicates=fates[Fate.DUPLICATE],
        dead_letters=fates[Fate.DEAD_LETTER] + feeder.rejected,
        erased=fates[Fate.ERASED],
        users=len(known_users(flow)),
        scores_out=flow.tally.scores_out,
        texts_encoded=flow.engine.reader.encoded,
        seconds=round(seconds, 3),
        event_to_score_ms=flow.tally.latency_percentiles(),
    )


def print_summary(summary: Summary) -> None:
    """Print the summary for a reader."""
    equal = "=" if summary.complete else "!="
    print(
        f"{summary.events_in:,} events in {equal} {summary.events_applied:,} applied + {summary.duplicates:,} "
        f"duplicates + {summary.dead_letters:,} dead letters + {summary.erased:,} erased"
    )
    latency = summary.event_to_score_ms
    shown = ", ".join(f"{name} {value:,.0f} ms" for name, value in latency.items() if value is not None)
    print(
        f"{summary.users:,} users, {summary.scores_out:,} scores, {summary.texts_encoded:,} texts encoded in "
        f"{summary.seconds:,.1f} s; event to score: {shown or 'nothing scored'}"
    )
    if not summary.complete:
        print("some events are not accounted for", file=sys.stderr)


def _instant(text: str) -> int:
    try:
        instant = int(text) if _INTEGER.fullmatch(text) else parse_rfc3339(text)
    except ValueError as error:
        raise ConfigurationError(
            f"--as-of: expected epoch milliseconds or RFC 3339 text with an offset, found {text!r}"
        ) from error
    if not EARLIEST_MS <= instant <= LATEST_MS:
        raise ConfigurationError(f"--as-of: expected an instant in the years 1 to 9999, found {text}")
    return instant


def _check_outputs(outputs: Iterable[Path], files: Iterable[Path]) -> None:
    taken = {path.resolve() for path in files}
    for path in outputs:
        if path.exists() and not path.is_file() and not path.is_dir():
            continue  # Several outputs may go to one pipe or device.
        if path.is_dir() or not path.parent.is_dir():
            raise ConfigurationError(f"{path}: expected a file to write in a folder that exists")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise ConfigurationError(f"{path}: expected a file that may be written, found no right to")
        if path.resolve() in taken:
            raise ConfigurationError(f"{path}: expected a file of its own for every output, found one named twice")
        taken.add(path.resolve())
