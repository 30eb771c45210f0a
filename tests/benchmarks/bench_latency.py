"""Event-to-score latency of one worker at shares of its capacity, clicks and texts apart."""

from __future__ import annotations

import argparse
from statistics import median
from typing import Any, Final

from benchmarks.harness import machine, report, run_side, say, table
from benchmarks.material.capacity import click_capacity, text_capacity
from benchmarks.plots import lines as draw_lines

SHARES: Final = (0.25, 0.5, 0.75, 0.9)
SECONDS: Final = 8.0
ROUNDS: Final = 3


def latency(topic: str, rate: float, seconds: float) -> dict[str, Any]:
    """Return the percentiles of one topic under a constant rate."""
    load = {"topic": topic, "rate": rate, "seconds": seconds}
    done = run_side("benchmarks.sides.worker", {"bert": topic == "reviews", "loads": [load]})
    found: dict[str, Any] = done["topics"][topic]
    found["producer_latest_ms"] = round(done["producers"][0]["latest_ms"], 1)
    say(f"{topic} at {rate:,.0f}/s: p50 {found['p50']} ms, p99 {found['p99']} ms")
    return found


def main() -> None:
    """Measure the capacities, then the loads in turn, round after round, and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    arguments = parser.parse_args()
    where = machine()
    capacity = {"clicks": click_capacity(), "reviews": text_capacity()}
    runs: dict[str, dict[float, list[dict[str, Any]]]] = {topic: {share: [] for share in SHARES} for topic in capacity}
    for number in range(arguments.rounds):
        say(f"round {number + 1}/{arguments.rounds}")
        for topic, limit in capacity.items():
            for share in SHARES:
                runs[topic][share].append(latency(topic, share * limit, arguments.seconds))
    publish(where, arguments.rounds, capacity, runs)


def publish(
    where: dict[str, Any],
    rounds: int,
    capacity: dict[str, float],
    runs: dict[str, dict[float, list[dict[str, Any]]]],
) -> None:
    """Write the results."""
    medians = {
        topic: {
            share: {name: median(run[name] for run in of) for name in ("p50", "p99")} for share, of in of_topic.items()
        }
        for topic, of_topic in runs.items()
    }
    result = {"machine": where, "capacity_per_second": capacity, "runs": runs, "medians": medians}
    draw_lines(
        "latency",
        [
            {
                "title": f"{topic}, capacity {capacity[topic]:,.0f}/s",
                "x": "share of capacity, %",
                "y": "event to score, ms",
                "series": {
                    name: [(share * 100, of[name]) for share, of in of_topic.items()] for name in ("p50", "p99")
                },
                "log_y": True,
            }
            for topic, of_topic in medians.items()
        ],
    )
    lines = [
        "From the instant an event was due (open loop) to the acknowledgement of its score; one worker, 4 partitions, "
        f"no online store; medians of {rounds} rounds. Capacity: {capacity['clicks']:,.0f} clicks/s, "
        f"{capacity['reviews']:,.0f} reviews/s, producer and broker on the same cores.",
        "",
        *table(
            ("events", "share of capacity", "p50, ms", "p99, ms"),
            [
                (topic, f"{share:.0%}", of["p50"], of["p99"])
                for topic, of_topic in medians.items()
                for share, of in of_topic.items()
            ],
        ),
    ]
    report("latency", "Latency", result, lines, plot=True)


if __name__ == "__main__":
    main()
