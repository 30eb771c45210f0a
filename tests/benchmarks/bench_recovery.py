"""How long a worker takes to recover many states from the changelog of three nodes of Apache Kafka, and what bounds it.

`make bench PART=recovery` with KAFKA_HOME: a million states, and five million with `--states 1000000 5000000`, which
needs 20 GB of disk. The states are those of the simulator's shoppers by the worker's own codec; the worker is a process
of its own, alone in its group. It starts without a local table; is killed as soon as it has recovered, and starts
again; then it is stopped in order, and starts again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from benchmarks.brokers import kafka_home
from benchmarks.harness import RESULTS, machine, report, say, table
from benchmarks.material.changelog import fill, simulated_states
from benchmarks.material.process_cpu import cpu_by_thread, cpu_s, resident_mib, written_bytes
from chaos.harness import SCRIPT, Cluster, Worker, until
from support.servers.kafka import Kafka

from streams.broker.reading import read_topic
from streams.contract import changelog_name
from streams.settings import Settings

NODES: Final = 3
PARTITIONS: Final = 4
LIMIT_S: Final = 3600.0
DURABLE: Final = {"auto.create.topics.enable": "false", "min.insync.replicas": 2}

BEGUN: Final = "recovering the state from the changelog"
DONE: Final = "state is recovered"


class Usage:
    """What a worker and the nodes have used so far."""

    def __init__(self, worker: Worker, nodes: Kafka) -> None:
        pid = worker.process.pid
        self.at = time.monotonic()
        self.threads = cpu_by_thread(pid)
        self.nodes_s = sum(cpu_s(nodes.pid(node)) for node in nodes.nodes)
        self.written = written_bytes(pid)

    def until(self, later: Usage) -> dict[str, float]:
        """Return seconds and bytes between two moments."""
        used = {f"{name}_s": later.threads[name] - before for name, before in self.threads.items()}
        return used | {
            "wall_s": later.at - self.at,
            "nodes_s": later.nodes_s - self.nodes_s,
            "written": float(later.written - self.written),
        }


async def recovered(worker: Worker, nodes: Kafka) -> dict[str, float]:
    """Wait until a worker has recovered; return what it took from the first state on, and from its start."""

    def said(message: str) -> Any:
        assert worker.process.poll() is None, worker.last_lines()
        return worker.said(message)

    await until(lambda: said(BEGUN) or said(DONE), LIMIT_S, "the recovery begins")
    first = Usage(worker, nodes)
    entry = await until(lambda: said(DONE), LIMIT_S, "the state is recovered")
    taken = first.until(Usage(worker, nodes))
    states = float(entry["states"])
    await until(lambda: said("ready"), LIMIT_S, "the worker is ready")
    from_start_s = time.monotonic() - worker.began
    return taken | {"states": states, "ready_s": from_start_s, "resident_mib": resident_mib(worker.process.pid)}


async def read_alone(settings: Settings) -> float:
    """Return the seconds that reading the changelog takes a consumer that does nothing with it."""
    began = time.monotonic()
    async for _ in read_topic(settings, changelog_name(settings)):
        pass
    return time.monotonic() - began


async def measure(states: int, kinds: list[bytes]) -> dict[str, Any]:
    """Fill a changelog, and recover from it in every way."""
    load_1m = round(os.getloadavg()[0], 2)
    with (
        tempfile.TemporaryDirectory(prefix="wherewithal-recovery-") as name,
        Kafka(Path(name) / "kafka", NODES, DURABLE) as nodes,
    ):
        folder = Path(name)
        cluster = await Cluster(folder, nodes.url, partitions=PARTITIONS, script=SCRIPT, replication=NODES).open()
        try:
            # An online store that holds nothing would be filled after the recovery, which is another matter.
            worker = await cluster.start().ready()
            event = {"event_id": "e", "user_id": "u", "item_id": "i", "action": "view", "timestamp": 1_760_000_000_000}
            await cluster.feed([{"topic": "clicks", "value": event}])
            await cluster.drained()
            await worker.stop()
            size, filled_s = await fill(cluster.settings, states, kinds)
            say(f"filled in {filled_s:.0f} s")
            shutil.rmtree(folder / "one")
            worker = cluster.start()
            lost = await recovered(worker, nodes)
            worker.kill()
            worker = cluster.start()
            killed = await recovered(worker, nodes)
            await worker.stop()
            worker = cluster.start()
            kept = await recovered(worker, nodes)
            await worker.stop()
            reading_s = await read_alone(cluster.settings)
        finally:
            await cluster.close()
    starts = {"lost": lost, "kept, the worker killed": killed, "kept, the worker stopped": kept}
    return {
        "states": states,
        "load_1m": load_1m,
        "bytes": size,
        "filled_s": filled_s,
        "reading_s": reading_s,
        "starts": starts,
    }


def lines_of(found: dict[str, Any]) -> list[str]:
    """Return the report of one number of states."""
    states, size, lost = found["states"], found["bytes"], found["starts"]["lost"]
    python_s, each = lost["main_s"] + lost["others_s"], states / 1e6
    rows: list[tuple[str, Any]] = [
        ("states taken in, a second", lost["states"] / lost["wall_s"]),
        ("MB of changelog taken in, a second", size / lost["wall_s"] / 1e6),
        ("s from the first state to the last", lost["wall_s"]),
        ("CPU a state of the worker's event loop: taking it in, us", lost["main_s"] / each),
        ("CPU a state of its other threads of Python: fetching it, us", lost["others_s"] / each),
        ("CPU a state of RocksDB's threads: flushing and compacting, us", lost["rocksdb_s"] / each),
        ("CPU a state of the three nodes, us", lost["nodes_s"] / each),
        ("share of the time in which the worker's Python ran", python_s / lost["wall_s"]),
        ("MB written to disk by the worker", lost["written"] / 1e6),
        ("most memory of the worker, MiB", lost["resident_mib"]),
        ("states that a bare consumer reads and drops, a second", states / found["reading_s"]),
        ("states published to fill the changelog, a second", states / found["filled_s"]),
    ]
    starts = [(name, int(one["states"]), one["wall_s"], one["ready_s"]) for name, one in found["starts"].items()]
    return [
        f"## {states:,} states",
        "",
        f"{size:,} bytes of changelog in {PARTITIONS} partitions, {size / states:,.0f} a state, on each node. "
        f"Load average at the start: {found['load_1m']}.",
        "",
        *table(("local table", "states taken from the changelog", "s of recovery", "s from start to ready"), starts),
        "",
        "Without a local table:",
        "",
        *table(("what", "found"), rows),
        "",
    ]


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--states", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--lines", type=int, default=60_000, help="lines of the simulator")
    arguments = parser.parse_args()
    kafka_home()
    os.environ["BENCH_BROKER"] = "kafka"
    where = machine()
    kinds = simulated_states(arguments.lines)
    # What was measured of other numbers stays: five million take a while.
    known = RESULTS / "recovery.json"
    found = {one["states"]: one for one in json.loads(known.read_text())["found"]} if known.exists() else {}
    found |= {states: asyncio.run(measure(states, kinds)) for states in arguments.states}
    lines = [line for states in sorted(found) for line in lines_of(found[states])]
    report("recovery", "Recovery from the changelog", {"machine": where, "found": list(found.values())}, lines[:-1])


if __name__ == "__main__":
    main()
