"""What items cost: users beside them, other partitions beside one hot item, and bytes as the history of an item grows.

The user stage consumes the same clicks with items off and on; with items on it sends facts. Once more a stage of items
in another process takes them in at the same time, on the cores that users, broker and items then share. The hot item
has a fifth of all facts of its run; the question is what that does to the partitions that it is not in.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from statistics import median
from typing import Any, Final

from benchmarks.brokers import fresh_broker
from benchmarks.harness import (
    PAIRS,
    begin_side,
    ended_side,
    machine,
    median_ratio,
    report,
    run_side,
    say,
    spread,
    table,
)
from benchmarks.material.clicks import publish_clicks
from benchmarks.material.facts import HOT, grown, publish_facts

from features.items.codec import encode
from streams.records.placement import partition_of_key
from streams.settings import load_settings

PARTITIONS: Final = 4
HOT_SHARE: Final = 0.2
HISTORIES: Final = (1, 10, 100, 1000, 10_000, 100_000)
OFF, ON, BOTH = SIDES = ("off", "on", "on, taken in at the same time")
GOALS: Final = {"users with items / without": 0.85, "other partitions, hot item / none": 1.2}


def users(count: int, number: int) -> dict[str, dict[str, Any]]:
    """Return what the user stage made of the same clicks with items off, on, and taken in at the same time."""
    found = {}
    with fresh_broker() as broker:
        settings = load_settings(broker=broker, topic_prefix="bench-", partitions=PARTITIONS, items=True)
        ends = asyncio.run(publish_clicks(settings, count))
        for name in turned(SIDES, number):
            base = {"broker": broker, "prefix": "bench-", "group": f"items-{SIDES.index(name)}"}
            clicks = base | {"ends": ends, "emit": True, "items": name != OFF}
            with beside(base | {"facts": count}) if name == BOTH else nullcontext() as taken_in:
                found[name] = run_side("benchmarks.sides.ours", clicks)
                if taken_in is not None:
                    found[name]["beside"] = ended_side(taken_in)
            say(f"users, items {name}: {found[name]['events_per_second']:,.0f} events/s")
    return found


def turned(sides: tuple[str, ...], number: int) -> tuple[str, ...]:
    """Return the sides in another order each round: none is always the one that finds the broker fresh."""
    first = number % len(sides)
    return sides[first:] + sides[:first]


@contextmanager
def beside(arguments: dict[str, Any]) -> Iterator[subprocess.Popen[str]]:
    """Run the stage of items, which has joined its group when this is entered."""
    side = begin_side("benchmarks.sides.items", arguments)
    try:
        assert side.stdout is not None
        if side.stdout.readline() != "ready\n":
            ended_side(side)
        yield side
    finally:
        side.kill()


def items(count: int, hot: float) -> dict[str, Any]:
    """Return what the stage of items made of facts."""
    with fresh_broker() as broker:
        settings = load_settings(broker=broker, topic_prefix="bench-", partitions=PARTITIONS, items=True)
        ends = asyncio.run(publish_facts(settings, count, hot))
        base = {"broker": broker, "prefix": "bench-", "group": settings.group, "ends": ends, "facts": count}
        found = run_side("benchmarks.sides.items", base)
    say(f"items, {hot:.0%} hot: {found['facts_per_second']:,.0f} facts/s, {found['seconds']}")
    return found


def of_others(found: dict[str, Any]) -> float:
    """Return when the last partition without the hot item was done, s."""
    hot = partition_of_key(HOT.encode(), PARTITIONS)
    return float(max(seconds for number, seconds in found["seconds"].items() if int(number) != hot))


def main() -> None:
    """Measure in pairs and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    arguments = parser.parse_args()
    where = machine()
    sizes = {count: len(encode(grown(random.Random(count), count))) for count in HISTORIES}
    stages: list[dict[str, dict[str, Any]]] = []
    even, hot = [], []
    for number in range(arguments.pairs):
        say(f"round {number + 1}/{arguments.pairs}")
        stages.append(users(arguments.events, number))
        even.append(items(arguments.events, 0.0))
        hot.append(items(arguments.events, HOT_SHARE))
    publish(arguments.events, where, sizes, stages, even, hot)


def publish(
    count: int,
    where: dict[str, Any],
    sizes: dict[int, int],
    stages: list[dict[str, dict[str, Any]]],
    even: list[dict[str, Any]],
    hot: list[dict[str, Any]],
) -> None:
    """Write the results."""
    rates = {name: [run[name]["events_per_second"] for run in stages] for name in SIDES}
    cpu = {name: [run[name]["cpu_us_per_event"] for run in stages] for name in SIDES}
    done = {"none": [of_others(found) for found in even], "a fifth": [of_others(found) for found in hot]}
    ratios = {
        "users with items / without": median_ratio(rates[ON], rates[OFF]),
        "the same in CPU": median_ratio(cpu[OFF], cpu[ON]),
        "users with items that are taken in at the same time / without": median_ratio(rates[BOTH], rates[OFF]),
        "that in CPU of users": median_ratio(cpu[OFF], cpu[BOTH]),
        "other partitions, hot item / none": median_ratio(done["a fifth"], done["none"]),
    }
    result = {
        "machine": where,
        "events": count,
        "partitions": PARTITIONS,
        "users": stages,
        "items": {"even": even, "hot": hot},
        "bytes_by_history": sizes,
        "ratios": ratios,
        "goals": GOALS,
    }
    lines = [
        f"{count:,} clicks, or as many facts, on {PARTITIONS} partitions, published beforehand; changelog on, no "
        f"online store; medians of {len(stages)} rounds. With items on, the user stage sends the facts of all clicks; "
        "the stage of items takes facts in by itself, but for the third row, where it does at the same time.",
        "",
        *table(
            ("user stage, with rows and scores", "events/s", "range", "CPU us/event"),
            [(f"items {name}", median(rates[name]), spread(rates[name]), median(cpu[name])) for name in rates],
        ),
        "",
        *table(
            ("stage of items", "facts/s", "CPU us/fact", "others done after, s", "range"),
            [
                (
                    f"hot item: {name}",
                    median(found["facts_per_second"] for found in runs),
                    median(found["cpu_us_per_fact"] for found in runs),
                    median(done[name]),
                    spread(done[name]),
                )
                for name, runs in (("none", even), ("a fifth", hot))
            ],
        ),
        "",
        *table(("facts of an item, over 30 days", "bytes encoded"), list(sizes.items())),
        "",
        *table(
            ("ratio, median of neighbours", "found", "goal"),
            [(name, value, GOALS.get(name, "none")) for name, value in ratios.items()],
        ),
    ]
    report("items", "Items", result, lines)


if __name__ == "__main__":
    main()
