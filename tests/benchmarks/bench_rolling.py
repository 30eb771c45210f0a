"""Three workers restarted one after another under a paced load, with an instance id each and without.

All sides are the same in everything else: one node of Apache Kafka, the program's own worker with its models, a state
folder that outlives the restart. Latency runs from the instant at which an event was due to the arrival of the first
score that covers it at a consumer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL, Process
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from aiokafka import TopicPartition
from benchmarks.brokers import KAFKA, fresh_broker
from benchmarks.harness import ROOT, machine, report, say, table
from benchmarks.material.clicks import publish_clicks
from benchmarks.material.ownership import Change, owned, waits
from benchmarks.sides.owning_worker import HOLDS, LETS_GO
from chaos.harness import Cluster, Worker

from streams.broker.connection import new_consumer
from streams.broker.reading import read_from
from streams.broker.topics.log_ends import high_watermarks
from streams.contract import CLICKS, SCORES, topic_name
from streams.settings import Settings

SCRIPT: Final = Path(__file__).with_name("sides") / "owning_worker.py"
WITHOUT, WITH, BESIDE = "none", "one each", "one each, the successor started beside it"
SIDES: Final = (WITHOUT, WITH, BESIDE)
NAMES: Final = ("w1", "w2", "w3")
PARTITIONS: Final = 12
SESSION_S: Final = 60.0
SETTLE_S: Final = 5.0
LATE_S: Final = 1.0
SEED: Final = 3


class ScoreLog:
    """The scores of a topic as they arrive, by user: how many of the user's events each covers, and when it came."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.found: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)

    async def run(self) -> None:
        """Listen until cancelled."""
        name = topic_name(self._settings, SCORES)
        consumer = new_consumer(self._settings, fetch_max_wait_ms=10)
        await consumer.start()
        try:
            partitions = [TopicPartition(name, number) for number in range(PARTITIONS)]
            consumer.assign(partitions)
            await consumer.seek_to_end(*partitions)
            while True:
                batches = await consumer.getmany(timeout_ms=1000)
                now = time.time()
                for record in (record for batch in batches.values() for record in batch if record.value):
                    score = orjson.loads(record.value)
                    self.found[score["user_id"]].append((score["revision"], now))
        finally:
            await consumer.stop()


def start(cluster: Cluster, name: str, side: str, folder: str) -> Worker:
    """Start a worker with the models that it ships with."""
    timing = {"session_timeout_s": SESSION_S, "request_timeout_s": 30, "heartbeat_interval_s": 1.0}
    chosen = {} if side == WITHOUT else {"group_instance_id": name}
    return cluster.start(folder, script=SCRIPT, **timing, **chosen)


async def restart(cluster: Cluster, name: str, side: str, before: Worker) -> Worker:
    """Replace a worker, and return its successor once that is ready."""
    if side == BESIDE:
        # It ends by itself, once the successor has its place.
        after = await start(cluster, name, side, f"{name}-next").ready()
        await before.ended()
        return after
    await before.stop()
    return await start(cluster, name, side, name).ready()


def changes_of(process: int, name: str, worker: Worker) -> Iterator[Change]:
    """Yield what a worker logged of its partitions."""
    held: list[int] = []
    for entry in worker.entries():
        if entry["message"] in (HOLDS, LETS_GO):
            holds = entry["message"] == HOLDS
            held = entry["numbers"] if holds else held
            yield from (Change(entry["at"], number, process, name, holds) for number in held)


async def load(settings: Settings, rate: int, seconds: float) -> Process:
    """Start an open-loop producer in a process of its own."""
    arguments = {
        **{"broker": settings.broker, "prefix": settings.topic_prefix, "partitions": PARTITIONS, "topic": CLICKS},
        **{"users": 2000, "seed": SEED, "hot": 0.0, "rate": rate, "seconds": seconds},
    }
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.sides.producer", json.dumps(arguments)),
        env=os.environ | {"PYTHONPATH": path},
        stdout=DEVNULL,
    )


async def events_of(settings: Settings, known: dict[TopicPartition, int]) -> dict[str, list[tuple[int, float]]]:
    """Return the clicks from some offsets on, by user: its number among the user's events, and when it was due."""
    found: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
    counts: defaultdict[str, int] = defaultdict(int)
    async for records in read_from(settings, dict.fromkeys(known, 0)):
        for record in records:
            user = record.key.decode()
            counts[user] += 1
            if record.offset >= known[TopicPartition(record.topic, record.partition)]:
                found[user].append((counts[user], record.timestamp / 1000))
    return found


async def run(broker: str, side: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Restart three workers of a cluster and return the figures."""
    with tempfile.TemporaryDirectory(prefix="wherewithal-rolling-") as folder:
        cluster = await Cluster(Path(folder), broker, topic_prefix="bench-", partitions=PARTITIONS).open()
        try:
            return await measured(cluster, side, arguments)
        finally:
            await cluster.close()


async def measured(cluster: Cluster, side: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Load a cluster, restart its workers one after another, drain it, and judge."""
    settings = cluster.settings
    processes: list[tuple[str, Worker]] = []
    for name in NAMES:
        processes.append((name, await start(cluster, name, side, name).ready()))
    known = await publish_clicks(settings, arguments.known)
    name = topic_name(settings, CLICKS)
    starts = {TopicPartition(name, number): known.get(str(number), 0) for number in range(PARTITIONS)}
    await cluster.drained({(CLICKS, tp.partition): offset for tp, offset in starts.items()})
    scores = ScoreLog(settings)
    listening = asyncio.create_task(scores.run())
    producer = await load(settings, arguments.rate, arguments.limit)
    await asyncio.sleep(SETTLE_S)
    began, away = time.time(), []
    for number, name in enumerate(NAMES):
        told = time.time()
        processes.append((name, await restart(cluster, name, side, processes[number][1])))
        away.append(time.time() - told)
        await asyncio.sleep(SETTLE_S)
    ended = time.time()
    if producer.returncode is not None:
        raise SystemExit(f"--limit: expected restarts of at most {arguments.limit:g} s, found longer ones")
    producer.terminate()
    await producer.wait()
    ends = await high_watermarks(settings, list(starts))
    await cluster.drained({(CLICKS, tp.partition): end for tp, end in ends.items()})
    await asyncio.sleep(LATE_S)
    listening.cancel()
    with suppress(asyncio.CancelledError):
        await listening
    found, uncovered = waits(await events_of(settings, starts), scores.found)
    changes = [changes_of(number, *process) for number, process in enumerate(processes)]
    told = owned(chain.from_iterable(changes), began, ended)
    return {
        "restart_s": away,
        "events": len(found) + uncovered,
        "without_score": uncovered,
        "late": sum(wait > LATE_S for wait in found),
        **{f"p{share}_s": float(np.percentile(found, share)) for share in (50, 95, 99)},
        "longest_s": max(found),
        "moves": told.moves,
        "take_overs": told.take_overs,
        "without_owner_s": told.without_s,
    }


def row(name: str, figures: dict[str, Any]) -> tuple[Any, ...]:
    """Return a line of the table."""
    without = list(figures["without_owner_s"].values())
    return (
        name,
        figures["moves"],
        figures["take_overs"],
        f"{np.mean(without):.1f}, at most {max(without):.1f}",
        f"{figures['late']:,} of {figures['events']:,}",
        f"{figures['p50_s'] * 1000:,.0f} ms / {figures['p99_s']:.1f} s",
        f"{figures['longest_s']:.1f} s",
        f"{np.mean(figures['restart_s']):.0f} s",
    )


def write(where: dict[str, Any], figures: dict[str, list[dict[str, Any]]], rate: int) -> None:
    """Write the report of the rounds so far."""
    lines = [
        f"Three workers, {PARTITIONS} partitions, {rate} events/s, one worker after the other restarted "
        f"(SIGTERM, started again once it has ended, ready, {SETTLE_S:g} s of rest). Each has its models to load and "
        f"its state folder kept; session timeout {SESSION_S:g} s. A successor that is started beside a worker has the "
        "same instance id and an empty state folder, and takes its place once it has loaded its models. Late is what "
        f"had no score after {LATE_S:g} s.",
        "",
        *table(
            (
                *("instance ids", "partitions moved", "taken over", "s without an owner, per partition"),
                *("late", "event to score, p50 / p99", "longest", "a restart takes"),
            ),
            [row(name, one) for name in SIDES for one in figures[name]],
        ),
    ]
    report("rolling", "Rolling restart", {"machine": where, "figures": figures}, lines)


def main() -> None:
    """Measure the sides in turn and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=1)
    parser.add_argument("--rate", type=int, default=150, help="events a second")
    parser.add_argument("--known", type=int, default=20_000, help="events before, whose users have states by then")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds that the restarts may take")
    arguments = parser.parse_args()
    # The embedded broker knows no instance ids.
    os.environ["BENCH_BROKER"] = KAFKA
    where = machine()
    figures: dict[str, list[dict[str, Any]]] = {name: [] for name in SIDES}
    for number in range(arguments.pairs):
        for name in SIDES:
            with fresh_broker() as broker:
                figures[name].append(asyncio.run(run(broker, name, arguments)))
            say(f"round {number + 1}/{arguments.pairs} {name}: {json.dumps(figures[name][-1])}")
        write(where, figures, arguments.rate)


if __name__ == "__main__":
    main()
