"""Clicks per second of one worker, against a plain Faust app and a Quix Streams application, side by side.

Every round publishes the same clicks to a fresh embedded broker; then each side consumes them in a process of its
own. The slow sides stop earlier: a rate needs seconds, not a number of events.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.brokers import fresh_broker
from benchmarks.harness import PAIRS, machine, median_ratio, report, run_side, say, spread, table
from benchmarks.material.clicks import USERS, publish_clicks
from benchmarks.plots import bars

from streams.settings import load_settings

OURS, FAUST, QUIX = "benchmarks.sides.ours", "benchmarks.sides.plain_faust", "benchmarks.sides.quix"
QUIX_PYTHON: Final = Path(sys.prefix) / "quix" / "bin" / "python"
"""Quix Streams needs an older pydantic than Feast's, hence its own environment (`make bench` makes it)."""

PARTITIONS: Final = 4
FLOOR: Final = "benchmarks.sides.floor"
SIDES: Final[dict[str, tuple[str, str, dict[str, Any]]]] = {
    "floor": (FLOOR, "floor: fetch, decode, count in a dict", {}),
    "state": (OURS, "ours, state kept current", {"emit": False}),
    "scores": (OURS, "ours, with rows and scores", {"emit": True}),
    "faust": (FAUST, "Faust, a table write per event", {"take": 0, "share": 0.1}),
    "faust_take": (FAUST, "Faust, take() and a write per user", {"take": 1000, "share": 0.15}),
    "quix": (QUIX, "Quix, lifetime counts in state", {"emit": False, "keeps": "totals"}),
    "quix_topic": (QUIX, "Quix, lifetime counts to a topic", {"emit": True, "keeps": "totals"}),
    "quix_tiles": (QUIX, "Quix, our counts and sums in its state", {"emit": False, "keeps": "tiles", "share": 0.5}),
    "quix_window": (QUIX, "Quix, one hopping window of ours", {"emit": False, "keeps": "window", "share": 0.08}),
}
SWEPT: Final[dict[str, list[dict[str, Any]]]] = {
    "faust_take": [{"take": size} for size in (200, 1000, 4000)],
    "quix": [{"commit_interval_s": s, "linger_ms": ms} for s, ms in ((1.0, 5), (5.0, 5), (5.0, 50))],
}
"""Tried once each before the rounds; the fastest is the side that is compared."""

TARGETS: Final = (
    ("state", "faust", 10.0),
    ("state", "faust_take", 10.0),
    ("state", "quix_tiles", 2.5),
    ("state", "quix_window", 2.5),
    ("state", "quix", 2.5),
    ("scores", "quix_topic", 2.5),
)
GOALS: Final = {"state": 50_000, "scores": 20_000}


def measure(name: str, base: dict[str, Any], options: dict[str, Any], group: str) -> dict[str, Any]:
    """Run one side once."""
    module = SIDES[name][0]
    arguments = {"commit_interval_s": 5.0, "linger_ms": 5} | base | SIDES[name][2] | options | {"group": group}
    arguments["events"] = int(sum(base["ends"].values()) * arguments.pop("share", 1.0))
    result = run_side(module, arguments, str(QUIX_PYTHON) if module == QUIX else sys.executable)
    say(f"{group}: {result['events_per_second']:,.0f} events/s, {result['cpu_us_per_event']:.1f} us CPU/event")
    return result


def with_clicks(count: int, body: Callable[[dict[str, Any]], None]) -> None:
    """Publish clicks to a broker of their own and hand over what sides need to consume them."""
    with fresh_broker() as broker:
        settings = load_settings(broker=broker, topic_prefix="bench-", partitions=PARTITIONS)
        ends = asyncio.run(publish_clicks(settings, count))
        body({"broker": broker, "prefix": "bench-", "partitions": PARTITIONS, "ends": ends})


def sweep(count: int) -> dict[str, dict[str, Any]]:
    """Return the best options of every side that has some."""
    best: dict[str, dict[str, Any]] = {}

    def body(base: dict[str, Any]) -> None:
        for name, candidates in SWEPT.items():
            rates = [
                measure(name, base, options, f"sweep-{name}-{number}")["events_per_second"]
                for number, options in enumerate(candidates)
            ]
            best[name] = candidates[rates.index(max(rates))]

    with_clicks(count, body)
    best["quix_topic"] = best["quix_tiles"] = best["quix_window"] = best["quix"]
    return best


def main() -> None:
    """Sweep, measure in rounds, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    arguments = parser.parse_args()
    where = machine()
    best = sweep(arguments.events)
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in SIDES}

    def one_round(base: dict[str, Any]) -> None:
        for name in SIDES:
            runs[name].append(measure(name, base, best.get(name, {}), f"{name}-{len(runs[name])}"))

    for number in range(arguments.pairs):
        say(f"round {number + 1}/{arguments.pairs}")
        with_clicks(arguments.events, one_round)
    publish(arguments.events, where, best, runs)


def publish(
    count: int, where: dict[str, Any], best: dict[str, dict[str, Any]], runs: dict[str, list[dict[str, Any]]]
) -> None:
    """Write the results."""
    rates = {name: [run["events_per_second"] for run in of_side] for name, of_side in runs.items()}
    cpu = {name: [run["cpu_us_per_event"] for run in of_side] for name, of_side in runs.items()}
    ratios = [
        {
            "ours": ours,
            "theirs": theirs,
            "rate": median_ratio(rates[ours], rates[theirs]),
            "cpu": median_ratio(cpu[theirs], cpu[ours]),
            "target": target,
        }
        for ours, theirs, target in TARGETS
    ]
    result = {
        "machine": where,
        "events": count,
        "users": USERS,
        "partitions": PARTITIONS,
        "best": best,
        "events_per_second": rates,
        "cpu_us_per_event": cpu,
        "ratios": ratios,
        "goals": GOALS,
    }
    bars(
        "throughput",
        "Clicks per second, one worker (median)",
        [(SIDES[name][1], median(values)) for name, values in rates.items()],
    )
    lines = [
        f"{count:,} clicks of {USERS:,} Zipf users, {PARTITIONS} partitions, published beforehand; changelog on, no "
        f"online store; medians of {len(rates['state'])} rounds. CPU is that of the process, without the broker's.",
        "",
        *table(
            ("side", "events/s", "range", "CPU us/event"),
            [(SIDES[name][1], median(rates[name]), spread(rates[name]), median(cpu[name])) for name in SIDES],
        ),
        "",
        *table(
            ("ratio, median of neighbours", "events/s", "CPU", "target"),
            [(f"{SIDES[r['ours']][1]} / {SIDES[r['theirs']][1]}", r["rate"], r["cpu"], r["target"]) for r in ratios],
        ),
        "",
        f"Goals on 2 quiet cores: {GOALS['state']:,} events/s with state alone, {GOALS['scores']:,} with scores.",
    ]
    report("throughput", "Throughput", result, lines, plot=True)


if __name__ == "__main__":
    main()
