"""Clicks per second of 1, 2 and 4 worker processes on one broker.

The workers join first; when each has its share of the partitions, the clicks are published, and the clock runs from
then until the last one is settled. Publisher and broker use the same cores, so with few cores they are part of what is
measured.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from statistics import median
from typing import Any, Final

from benchmarks.brokers import fresh_broker
from benchmarks.harness import PAIRS, ROOT, interleave, machine, median_ratio, report, spread, table
from benchmarks.material.clicks import USERS, publish_clicks
from benchmarks.plots import lines as draw_lines

from streams.broker.topics.provisioning import make_topics
from streams.settings import load_settings

WORKERS: Final = (1, 2, 4)
PARTITIONS: Final = 4
LIMIT_S: Final = 240.0


class Group:
    """Worker processes of one consumer group, and what they have told last."""

    def __init__(self) -> None:
        self.processes: list[Process] = []
        self.told: list[dict[str, int]] = []
        self._moved = asyncio.Event()
        self._listeners: list[asyncio.Task[None]] = []

    async def start(self, size: int, arguments: dict[str, Any]) -> None:
        """Start the workers and wait until each has its share."""
        path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
        for number in range(size):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "benchmarks.sides.member", json.dumps(arguments)),
                stdout=PIPE,
                env=os.environ | {"PYTHONPATH": path},
            )
            self.processes.append(process)
            self.told.append({"partitions": 0, "settled": 0})
            self._listeners.append(asyncio.create_task(self._listen(number, process)))
        await self.until(lambda: all(told["partitions"] == PARTITIONS // size for told in self.told))

    async def until(self, reached: Callable[[], bool]) -> None:
        """Wait until what the workers have told is as wanted.

        Raises:
            SystemExit: a worker has ended.
        """
        async with asyncio.timeout(LIMIT_S):
            while not reached():
                self._moved.clear()
                await self._moved.wait()
                if any(process.returncode is not None for process in self.processes):
                    raise SystemExit("expected the workers to go on, found one that has ended")

    async def stop(self) -> None:
        """End the workers."""
        for process in self.processes:
            if process.returncode is None:
                process.kill()
            await process.wait()
        await asyncio.gather(*self._listeners)

    async def _listen(self, number: int, process: Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            self.told[number] = json.loads(line)
            self._moved.set()
        await process.wait()
        self._moved.set()


async def rate_of(size: int, events: int) -> float:
    """Return the clicks per second of so many workers."""
    group = Group()
    with fresh_broker() as broker:
        settings = load_settings(broker=broker, topic_prefix="bench-", partitions=PARTITIONS)
        await make_topics(settings)
        try:
            await group.start(size, {"broker": broker, "prefix": "bench-"})
            began = time.perf_counter()
            await publish_clicks(settings, events)
            await group.until(lambda: sum(told["settled"] for told in group.told) >= events)
            return events / (time.perf_counter() - began)
        finally:
            await group.stop()


def main() -> None:
    """Measure in rounds and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--events", type=int, default=60_000)
    arguments = parser.parse_args()
    where = machine()

    def side(size: int) -> Callable[[], float]:
        return lambda: asyncio.run(rate_of(size, arguments.events))

    rates = interleave({str(size): side(size) for size in WORKERS}, arguments.pairs)
    cores = where["cores"]
    scale = {size: median_ratio(rates[str(size)], rates["1"]) for size in WORKERS}
    efficiency = {size: scale[size] / min(size, cores) for size in WORKERS}
    result = {"machine": where, "events": arguments.events, "rates": rates, "scale": scale, "efficiency": efficiency}
    draw_lines(
        "scaleout",
        [
            {
                "title": f"{cores} cores, broker and publisher on them",
                "x": "workers",
                "y": "clicks/s",
                "series": {"found": [(float(size), median(rates[str(size)])) for size in WORKERS]},
            }
        ],
    )
    lines = [
        f"{arguments.events:,} clicks of {USERS:,} Zipf users, {PARTITIONS} partitions, scores published, no online "
        f"store; medians of {arguments.pairs} rounds on {cores} cores, which broker and publisher use too.",
        "",
        *table(
            ("workers", "clicks/s", "range", "over one worker", "per core that it could use"),
            [
                (size, median(rates[str(size)]), spread(rates[str(size)]), scale[size], efficiency[size])
                for size in WORKERS
            ],
        ),
    ]
    report("scaleout", "Scale-out", result, lines, plot=True)


if __name__ == "__main__":
    main()
