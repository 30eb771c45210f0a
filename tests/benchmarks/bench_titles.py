"""What the titles of items cost the clicks that carry them: none, known ones, and ones that are never known.

A click never waits for a text, its own title included. Titles that are not known are read behind their clicks, on the
cores that the clicks need too, and their users are published once more.
"""

from __future__ import annotations

import argparse
from statistics import median
from typing import Any, Final

from benchmarks.harness import PAIRS, machine, median_ratio, report, run_side, say, spread, table
from benchmarks.material.capacity import click_capacity

SHARE: Final = 0.1
"""Of capacity: room is left, so that what is seen is waiting for titles and not for other clicks."""

SECONDS: Final = 8.0
KNOWN: Final = 100
"""Titles of the side whose titles are all known once the first seconds are over, which are left out."""

SIDES: Final[dict[str, int | None]] = {"no titles": 0, "titles that are known": KNOWN, "titles never seen before": None}


def run(load: dict[str, Any]) -> dict[str, Any]:
    """Return what a worker with the real encoder made of a load."""
    done = run_side("benchmarks.sides.worker", {"bert": True, "loads": [load], "wait_for_titles": False})
    found: dict[str, Any] = done["topics"]["clicks"] | {"titles_read": done["titles_read"]}
    say(f"clicks: p50 {found['p50']} ms, p99 {found['p99']} ms, {found['titles_read']} titles read meanwhile")
    return found


def main() -> None:
    """Measure the sides in turn and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--rate", type=float, help="clicks per second; default: a share of the capacity")
    arguments = parser.parse_args()
    where = machine()
    rate = arguments.rate or click_capacity() * SHARE
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in SIDES}
    for number in range(arguments.pairs):
        say(f"round {number + 1}/{arguments.pairs}")
        for name, titles in SIDES.items():
            say(name)
            load = {"topic": "clicks", "rate": rate, "seconds": arguments.seconds, "titles": titles}
            runs[name].append(run(load))
    publish(where, rate, arguments.seconds, runs)


def publish(where: dict[str, Any], rate: float, seconds: float, runs: dict[str, list[dict[str, Any]]]) -> None:
    """Write the results."""
    p99 = {name: [found["p99"] for found in of] for name, of in runs.items()}
    without, known, unknown = p99.values()
    ratios = {
        "titles that are known / no titles": median_ratio(known, without),
        "titles never seen before / no titles": median_ratio(unknown, without),
    }
    read = median(found["titles_read"] for found in list(runs.values())[-1]) / seconds
    result = {"machine": where, "clicks_per_second": rate, "runs": runs, "p99_ms": p99, "ratios": ratios}
    lines = [
        f"{rate:,.0f} clicks/s, open loop, to 4 partitions of one worker; on two sides each has a title. Of titles "
        f"never seen before the encoder reads {read:,.0f}/s, and the others wait to the end. Medians of "
        f"{len(without)} rounds; producer, broker and encoder share the cores with the worker.",
        "",
        *table(
            ("event-to-score of clicks", "p50, ms", "p99, ms", "range of p99"),
            [
                (name, median(found["p50"] for found in of), median(p99[name]), spread(p99[name]))
                for name, of in runs.items()
            ],
        ),
        "",
        *table(("ratio of p99, median of neighbours", "found"), list(ratios.items())),
    ]
    report("titles", "Titles of items", result, lines)


if __name__ == "__main__":
    main()
