"""What one worker can take, measured just before the loads that are expressed in shares of it."""

from __future__ import annotations

from typing import Any

from benchmarks.bench_throughput import measure, with_clicks
from benchmarks.harness import run_side, say

BURST_TEXTS = 400
"""Texts of a burst; several seconds of the encoder's work."""


def click_capacity(count: int = 60_000) -> float:
    """Return the clicks per second of one worker that publishes scores."""
    rates: list[float] = []

    def body(base: dict[str, Any]) -> None:
        for number in range(2):
            rates.append(measure("scores", base, {}, f"capacity-{number}")["events_per_second"])

    with_clicks(count, body)
    return max(rates)


def text_capacity() -> float:
    """Return the reviews per second of one worker with the real encoder."""
    burst = {"topic": "reviews", "rate": BURST_TEXTS, "seconds": 1.0}
    done = run_side("benchmarks.sides.worker", {"bert": True, "loads": [burst]})
    rate: float = done["producers"][0]["sent"] / (1.0 + done["drained_s"])
    say(f"text capacity: {rate:,.1f} reviews/s")
    return rate
