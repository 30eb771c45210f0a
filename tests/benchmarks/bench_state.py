"""What a user costs: bytes as history grows, and time per event as users and history grow.

Time is CPU time of this process, and the points of a curve are measured in turn, round after round, so that another
process on the machine shifts all of them alike; a curve's slope is the median of the ratios to its first point.
"""

from __future__ import annotations

import argparse
import gc
import random
import time
import tracemalloc
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, Final

from benchmarks.harness import PAIRS, interleave, machine, median_ratio, report, say, table
from benchmarks.material.clicks import START_MS
from benchmarks.material.histories import ENCODER, SPREAD_MS, grown, observation, simulated_bytes
from benchmarks.plots import lines as draw_lines

from features.users.codec import decode, encode

HISTORIES: Final = (1, 10, 100, 1000)
POPULATIONS: Final = (1_000, 10_000, 100_000, 1_000_000)
LIVE_USERS: Final = 8
"""As many for every history, and few enough to stay in the processor's cache: what is measured is the work."""

PROBE_EVENTS: Final = 10_000
TARGETS: Final = {"p50_bytes": 1024, "bytes_at_1000": 8192, "users_slope": 1.2, "history_slope": 1.5}


def history_sides(commit: bool) -> dict[str, Callable[[], float]]:
    """Return, for each length of history, a measurement of the time of one more event.

    Args:
        commit: whether the state is encoded after every event. A worker encodes a user once per group of events.
    """

    def side(events: int) -> Callable[[], float]:
        def measure() -> float:
            rng = random.Random(events)
            users = [grown(rng, events) for _ in range(LIVE_USERS)]
            later = START_MS + SPREAD_MS
            seen = [observation(rng, events + number, later + number * 1000) for number in range(PROBE_EVENTS)]
            began = time.process_time()
            for number, one in enumerate(seen):
                state = users[number % LIVE_USERS]
                state.apply(one, ENCODER)
                if commit:
                    encode(state)
            return (time.process_time() - began) / PROBE_EVENTS * 1e6

        return measure

    return {str(events): side(events) for events in HISTORIES}


def population_sides(stored: dict[int, list[bytes]]) -> dict[str, Callable[[], float]]:
    """Return, for each number of users, the time of one event of a random user: read, decode, apply, encode, write."""

    def side(users: int) -> Callable[[], float]:
        def measure() -> float:
            rng = random.Random(users)
            table, live = stored[users], {}
            seen = [observation(rng, 100 + n, START_MS + SPREAD_MS + n) for n in range(PROBE_EVENTS)]
            chosen = [rng.randrange(users) for _ in seen]
            began = time.process_time()
            for user, one in zip(chosen, seen, strict=True):
                state = live[user] = decode(table[user])
                state.apply(one, ENCODER)
                table[user] = encode(state)
                if len(live) > 256:
                    live.clear()
            return (time.process_time() - began) / PROBE_EVENTS * 1e6

        return measure

    return {str(users): side(users) for users in stored}


def populate(users: int, history: int = 10) -> list[bytes]:
    """Return the bytes of so many users, of 100 different histories."""
    rng = random.Random(1)
    kinds = [encode(grown(rng, history)) for _ in range(100)]
    # Each its own copy, as each is its own user: shared bytes would stay in the processor's cache.
    return [bytes(bytearray(kinds[number % 100])) for number in range(users)]


def live_bytes(events: int, users: int = 50) -> float:
    """Return what a live, decoded user takes in memory."""
    rng = random.Random(3)
    gc.collect()
    tracemalloc.start()
    kept = [grown(rng, events) for _ in range(users)]
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size / len(kept)


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--users", type=int, nargs="+", default=list(POPULATIONS))
    parser.add_argument("--lines", type=int, default=60_000, help="lines of the simulator")
    arguments = parser.parse_args()
    where = machine()
    sizes = simulated_bytes(arguments.lines)
    say(f"simulated users: {len(sizes):,}")
    rng = random.Random(5)
    by_history = {events: median(len(encode(grown(rng, events))) for _ in range(9)) for events in HISTORIES}
    live = {events: live_bytes(events) for events in HISTORIES}
    applied = interleave(history_sides(commit=False), arguments.pairs)
    committed = interleave(history_sides(commit=True), arguments.pairs)
    populations = interleave(population_sides({n: populate(n) for n in arguments.users}), arguments.pairs)
    publish(where, sizes, by_history, live, applied, committed, populations)


def slope(figures: dict[str, list[float]], first: str) -> float:
    """Return how much more the last point of a curve costs than `first`."""
    return median_ratio(list(figures.values())[-1], figures[first])


def publish(
    where: dict[str, Any],
    sizes: Sequence[int],
    by_history: dict[int, float],
    live: dict[int, float],
    applied: dict[str, list[float]],
    committed: dict[str, list[float]],
    populations: dict[str, list[float]],
) -> None:
    """Write the results."""
    p50, p99 = sizes[len(sizes) // 2], sizes[len(sizes) * 99 // 100]
    smallest = next(iter(populations))
    found = {
        "p50_bytes": p50,
        "bytes_at_1000": by_history[1000],
        "users_slope": slope(populations, smallest),
        "history_slope": slope(applied, "10"),
        "history_slope_committed": slope(committed, "10"),
    }
    result = {
        "machine": where,
        "simulated_users": len(sizes),
        "p99_bytes": p99,
        "bytes_by_history": by_history,
        "live_bytes_by_history": live,
        "us_by_history": applied,
        "us_by_history_committed": committed,
        "us_by_users": populations,
        "found": found,
        "targets": TARGETS,
    }
    of_users = [(float(users), median(times)) for users, times in populations.items()]
    of_history = {
        name: [(float(events), median(times)) for events, times in figures.items()]
        for name, figures in (("apply", applied), ("apply + encode", committed))
    }
    draw_lines(
        "state",
        [
            {
                "title": "bytes of a user in the changelog",
                "x": "events of the user",
                "y": "bytes",
                "series": {"30 days, evenly spread": list(by_history.items())},
                "log_x": True,
            },
            {
                "title": "CPU per event, by history",
                "x": "events of the user",
                "y": "us",
                "series": of_history,
                "log_x": True,
            },
            {
                "title": "CPU per event, by users",
                "x": "users",
                "y": "us",
                "series": {"read + decode + apply + encode + write": of_users},
                "log_x": True,
            },
        ],
    )
    lines = [
        f"{len(sizes):,} simulated shoppers with their texts: {p50:,} bytes at the median, {p99:,} at the 99th "
        "percentile.",
        "",
        *table(
            ("events of the user, over 30 days", "bytes encoded", "bytes live", "apply, us CPU", "apply + encode"),
            [(n, by_history[n], live[n], median(applied[str(n)]), median(committed[str(n)])) for n in HISTORIES],
        ),
        "",
        *table(
            ("users, 10 events each", "read + decode + apply + encode + write, us CPU"),
            [(int(users), value) for users, value in of_users],
        ),
        "",
        *table(
            ("what", "found", "target, at most"),
            [
                ("bytes of the median simulated user", found["p50_bytes"], TARGETS["p50_bytes"]),
                ("bytes at 1,000 events", found["bytes_at_1000"], TARGETS["bytes_at_1000"]),
                (f"time at {int(list(populations)[-1]):,} users / at {int(smallest):,}", found["users_slope"], 1.2),
                ("time to apply at 1,000 events / at 10", found["history_slope"], 1.5),
                ("the same, with a commit after every event", found["history_slope_committed"], "none"),
            ],
        ),
    ]
    report("state", "State", result, lines, plot=True)


if __name__ == "__main__":
    main()
