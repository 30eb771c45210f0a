"""Who waits for whom: clicks beside a flood of reviews, and everyone beside one hot user.

The flood brings reviews many times faster than the encoder reads them; it is held back by the consumer, and the
question is what that does to clicks. The hot user causes half of all clicks, so that one partition has most of the
work; the question is what that does to the other partitions.
"""

from __future__ import annotations

import argparse
from statistics import median
from typing import Any, Final

from benchmarks.harness import PAIRS, machine, median_ratio, report, run_side, say, spread, table
from benchmarks.material.capacity import click_capacity, text_capacity
from benchmarks.plots import bars

CLICK_SHARE: Final = 0.1
"""Of capacity: room is left, so that what is seen is waiting for others and not for itself."""

HOT_SHARE: Final = 0.3
FLOOD: Final = 5.0
"""Times what the encoder can read."""

SECONDS: Final = 8.0


def run(loads: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what a worker with the real encoder made of some loads."""
    found: dict[str, Any] = run_side("benchmarks.sides.worker", {"bert": True, "loads": loads})["topics"]["clicks"]
    say(f"clicks: p50 {found['p50']} ms, p99 {found['p99']} ms, {found['partitions']}")
    return found


def main() -> None:
    """Measure in pairs and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    arguments = parser.parse_args()
    where = machine()
    clicks, texts = click_capacity(), text_capacity()
    quiet = {"topic": "clicks", "rate": clicks * CLICK_SHARE, "seconds": arguments.seconds}
    flood = {"topic": "reviews", "rate": texts * FLOOD, "seconds": arguments.seconds, "flood": True}
    even = quiet | {"rate": clicks * HOT_SHARE}
    sides: dict[str, list[dict[str, Any]]] = {
        "clicks alone": [quiet],
        "clicks beside a flood of reviews": [quiet, flood],
        "no hot user": [even],
        "a hot user with half of all clicks": [even | {"hot": 0.5}],
    }
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in sides}
    for number in range(arguments.pairs):
        say(f"round {number + 1}/{arguments.pairs}")
        for name, loads in sides.items():
            runs[name].append(run(loads))
    publish(where, {"clicks": clicks, "reviews": texts}, runs)


def hottest(found: dict[str, Any]) -> str:
    """Return the partition with the most events."""
    partitions: dict[str, Any] = found["partitions"]
    return max(partitions, key=lambda number: int(partitions[number]["events"]))


def worst_p99(found: dict[str, Any], *, hot: bool) -> float:
    """Return the p99 of the hottest partition, or the worst of the others."""
    hottest_one = hottest(found)
    return float(max(part["p99"] for number, part in found["partitions"].items() if (number == hottest_one) is hot))


def publish(where: dict[str, Any], capacity: dict[str, float], runs: dict[str, list[dict[str, Any]]]) -> None:
    """Write the results."""
    alone, flooded, even, hot = runs.values()
    p99 = {name: [found["p99"] for found in of] for name, of in runs.items()}
    p99["the hot user's partition"] = [worst_p99(found, hot=True) for found in hot]
    p99["the others beside it, the worst"] = [worst_p99(found, hot=False) for found in hot]
    even_p99 = [worst_p99(found, hot=False) for found in even]
    ratios = {
        "clicks, flood of reviews / alone": median_ratio(
            [found["p99"] for found in flooded], [found["p99"] for found in alone]
        ),
        "other partitions, hot user / none": median_ratio(p99["the others beside it, the worst"], even_p99),
        "hot partition / the others beside it": median_ratio(
            p99["the hot user's partition"], p99["the others beside it, the worst"]
        ),
    }
    result = {"machine": where, "capacity_per_second": capacity, "runs": runs, "p99_ms": p99, "ratios": ratios}
    bars(
        "fairness",
        "Event-to-score p99 of clicks, ms (median)",
        [(name, median(values)) for name, values in p99.items()],
    )
    lines = [
        f"Clicks at {CLICK_SHARE:.0%} of capacity ({capacity['clicks']:,.0f}/s) beside reviews at {FLOOD:.0f} times "
        f"what the encoder reads ({capacity['reviews']:,.0f}/s); the hot user at {HOT_SHARE:.0%}. Medians of "
        f"{len(alone)} rounds; producers, broker and encoder share the cores with the worker.",
        "",
        *table(
            ("event-to-score p99 of clicks", "ms", "range"),
            [(name, median(values), spread(values)) for name, values in p99.items()],
        ),
        "",
        *table(("ratio of p99, median of neighbours", "found"), list(ratios.items())),
    ]
    report("fairness", "Fair sharing", result, lines, plot=True)


if __name__ == "__main__":
    main()
