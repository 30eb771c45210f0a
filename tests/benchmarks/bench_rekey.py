"""Records per second of one process that re-keys, beside one worker that takes in what it wrote.

Every round publishes the same clicks as calls of Segment, without keys, zstd, to a fresh broker; `rekey` brings them to
the inputs, and then a worker takes them in: with its state alone, and with rows and scores.
"""

from __future__ import annotations

import argparse
import asyncio
from statistics import median
from typing import Any, Final

import orjson
from benchmarks.brokers import fresh_broker
from benchmarks.harness import PAIRS, machine, median_ratio, report, run_side, say, spread, table
from benchmarks.material.clicks import clicks
from support.inputs import ends_of_inputs
from support.shop_topics import as_call, publish

from streams.contract import CLICKS
from streams.settings import Settings, load_settings

PARTITIONS: Final = 4
SOURCE: Final = "shop"
SIDES: Final = {"rekey": "rekey", "state": "worker, state kept current", "scores": "worker, with rows and scores"}


def calls(count: int) -> list[bytes]:
    """The calls of Segment for the clicks of the benchmarks."""
    return [as_call({"topic": CLICKS, "value": {"quantity": 1} | orjson.loads(value)}) for _, value in clicks(count)]


def one_round(count: int, number: int) -> dict[str, dict[str, Any]]:
    """Measure each side once."""
    with fresh_broker() as broker:
        settings: Settings = load_settings(broker=broker, topic_prefix="bench-", partitions=PARTITIONS)
        asyncio.run(publish(settings, SOURCE, calls(count), partitions=PARTITIONS, compression_type="zstd"))
        base = {"broker": broker, "prefix": "bench-", "partitions": PARTITIONS}
        further = {"source": SOURCE, "format": "segment", "records": count}
        found = {"rekey": run_side("benchmarks.sides.rekey", base | further)}
        ends = asyncio.run(ends_of_inputs(settings))
        base["ends"] = {str(partition): end for (topic, partition), end in ends.items() if topic == CLICKS}
        for name in ("state", "scores"):
            side = base | {"emit": name == "scores", "group": f"{name}-{number}"}
            found[name] = run_side("benchmarks.sides.ours", side)
    for name, result in found.items():
        say(f"{name}: {result['events_per_second']:,.0f} events/s, {result['cpu_us_per_event']:.1f} us CPU/event")
    return found


def main() -> None:
    """Measure in rounds, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    arguments = parser.parse_args()
    where = machine()
    rounds = []
    for number in range(arguments.pairs):
        say(f"round {number + 1}/{arguments.pairs}")
        rounds.append(one_round(arguments.events, number))
    rates = {name: [found[name]["events_per_second"] for found in rounds] for name in SIDES}
    cpu = {name: [found[name]["cpu_us_per_event"] for found in rounds] for name in SIDES}
    ratios = {name: median_ratio(rates["rekey"], rates[name]) for name in ("state", "scores")}
    costs = {name: median_ratio(cpu[name], cpu["rekey"]) for name in ("state", "scores")}
    result = {
        "machine": where,
        "events": arguments.events,
        "partitions": PARTITIONS,
        "events_per_second": rates,
        "cpu_us_per_event": cpu,
        "ratios": ratios,
        "cpu_ratios": costs,
    }
    lines = [
        f"{arguments.events:,} clicks as calls of Segment, without keys, zstd, {PARTITIONS} partitions, published "
        f"beforehand; medians of {len(rounds)} rounds. CPU is that of the process, without the broker's.",
        "",
        *table(
            ("side", "events/s", "range", "CPU us/event"),
            [(SIDES[name], median(rates[name]), spread(rates[name]), median(cpu[name])) for name in SIDES],
        ),
        "",
        *table(
            ("ratio, median of neighbours", "events/s", "CPU", "target"),
            [(f"rekey / {SIDES[name]}", ratios[name], costs[name], 1.0) for name in ratios],
        ),
    ]
    report("rekey", "Re-keying", result, lines)


if __name__ == "__main__":
    main()
