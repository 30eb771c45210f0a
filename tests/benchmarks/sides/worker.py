"""One worker under the load of producers, each in a process of its own: event-to-score latency by topic and partition.

Latency runs from the instant an event was due to the acknowledgement of the score that covers it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from aiokafka import TopicPartition
from benchmarks.brokers import fresh_broker
from benchmarks.material.doubles import NullStore
from faust.types import TP
from support.encoders import HashEncoder

from streams.broker.topics.log_ends import high_watermarks
from streams.broker.topics.provisioning import make_topics
from streams.contract import topic_name
from streams.operating.drain import Drain
from streams.settings import Settings, WindowEdge, load_settings
from streams.telemetry.tally import Tally
from streams.worker.flow import Flow
from streams.worker.stages import stores
from streams.worker.users.user_partition import UserPartition

WARM_UP_S: Final = 2.0
"""Of the load, left out of the figures: first users, first batches, caches."""


class Stamp(int):
    """A Kafka timestamp that remembers where its event came from."""

    topic: str
    partition: int


class Latencies:
    """Latencies, ms, by topic and partition, of the events due after `since_ms`."""

    def __init__(self) -> None:
        self.since_ms = 0.0
        self._waited: defaultdict[tuple[str, int], list[float]] = defaultdict(list)

    def attach(self) -> None:
        """Listen in on what is applied and on what is acknowledged."""
        apply, scored = UserPartition.apply, Tally.scored

        def apply_stamped(partition: UserPartition, user_id: str, seen: Any, topic: str, arrived: int) -> Any:
            stamp = Stamp(arrived)
            stamp.topic, stamp.partition = topic, partition.number
            return apply(partition, user_id, seen, topic, stamp)

        def scored_noted(tally: Tally, arrivals: Sequence[Any], scores: int) -> None:
            now = time.time() * 1000
            for stamp in arrivals:
                if stamp >= self.since_ms:
                    self._waited[stamp.topic, stamp.partition].append(now - stamp)
            scored(tally, arrivals, scores)

        UserPartition.apply = apply_stamped  # type: ignore[method-assign]
        Tally.scored = scored_noted  # type: ignore[method-assign]

    def summary(self) -> dict[str, Any]:
        """Return the percentiles of each topic, and of each partition in it."""
        topics: dict[str, Any] = {}
        for topic in {topic for topic, _ in self._waited}:
            parts = {number: waited for (name, number), waited in sorted(self._waited.items()) if name == topic}
            topics[topic] = _percentiles([one for waited in parts.values() for one in waited])
            topics[topic]["partitions"] = {str(number): _percentiles(waited) for number, waited in parts.items()}
        return topics


def _percentiles(waited: Sequence[float]) -> dict[str, Any]:
    p50, p99 = np.percentile(waited, (50, 99)).tolist()
    return {"p50": round(p50, 1), "p99": round(p99, 1), "events": len(waited)}


async def load(running: Flow, loads: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Run the producers to their end."""
    settings = running.settings
    shared = {
        "broker": settings.broker,
        "prefix": settings.topic_prefix,
        "partitions": settings.partitions,
        "seed": 1,
        "hot": 0.0,
        "titles": 0,
        "users": 100_000,
    }
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.sides.producer", json.dumps(shared | {"seed": number} | one)),
            stdout=asyncio.subprocess.PIPE,
        )
        for number, one in enumerate(loads, 1)
    ]
    outputs = await asyncio.gather(*(process.communicate() for process in processes))
    if any(process.returncode for process in processes):
        raise SystemExit("a producer failed")
    return [json.loads(out) for out, _ in outputs]


async def ends_of(settings: Settings, topics: Sequence[str]) -> dict[tuple[str, int], int]:
    """Return where the logs of the input topics end."""
    names = {topic_name(settings, topic): topic for topic in topics}
    asked = [TopicPartition(name, number) for name in names for number in range(settings.partitions)]
    return {(names[tp.topic], tp.partition): end for tp, end in (await high_watermarks(settings, asked)).items()}


async def applied(running: Flow, ends: Mapping[tuple[str, int], int]) -> None:
    """Wait until all up to these ends is published, whatever titles wait."""
    consumer: Any = running.app.consumer
    for (topic, number), end in ends.items():
        place = TP(topic_name(running.settings, topic), number)
        while end and (consumer.standing(place) or 0) < end:
            consumer.progressed.clear()
            await consumer.progressed.wait()


async def run(arguments: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Start a worker, load it, drain it, and return the latencies."""
    stores.open_online_store = lambda *_, **__: NullStore()  # type: ignore[attr-defined]
    latencies = Latencies()
    latencies.attach()
    with fresh_broker() as broker:
        settings = load_settings(
            broker=broker,
            topic_prefix="bench-",
            state_dir=folder,
            state_store="rocksdb",
            window_edge=WindowEdge.EVENT,
            session_timeout_s=6.0,
            heartbeat_interval_s=0.5,
        )
        await make_topics(settings)
        async with Flow(settings, encoder=None if arguments["bert"] else HashEncoder()) as running:
            latencies.since_ms = (time.time() + WARM_UP_S) * 1000
            producers = await load(running, arguments["loads"])
            # A flood is not waited for: what it leaves behind is not what is asked.
            topics = [one["topic"] for one in arguments["loads"] if not one.get("flood")]
            titles_read = running.engine.equipment.titles.encoded
            began = time.monotonic()
            ends = await ends_of(running.settings, topics)
            if arguments.get("wait_for_titles", True):
                await Drain(running, 0).drained(ends)
            else:
                await applied(running, ends)
            drained_s = time.monotonic() - began
    return {
        "topics": latencies.summary(),
        "producers": producers,
        "drained_s": drained_s,
        "titles_read": titles_read,
    }


def main(argv: Sequence[str]) -> None:
    """Run with the arguments given as one JSON object."""
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(asyncio.run(run(json.loads(argv[0]), Path(folder)))))


if __name__ == "__main__":
    main(sys.argv[1:])
