"""A Quix Streams application counting the same clicks: events per second. Runs in an environment of its own.

The form its documentation recommends: `sdf.apply(..., stateful=True)` with RocksDB state and its changelog topic, and
`sdf.to_topic` for the results. With `emit` every updated count is published, which is how a Quix pipeline publishes;
without it the state alone is kept. What it keeps of a user:
    totals  lifetime counts and spend: less than ours
    window  the counts and spend of one of our four windows, an hour by five minutes, by
            `hopping_window(...).reduce(...).current()`: its own way to windows, and still less than ours
    tiles   the counts and sums that ours has, in tiles of five minutes, an hour and a day, as the value of its state:
            what one would write who needs all four windows of it. Duplicates, categories and fences are left out.
The clock stops with the checkpoint that makes the last event durable.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import orjson
from quixstreams import Application, State
from quixstreams.checkpointing import Checkpoint
from quixstreams.models.topics import TopicAdmin, TopicConfig


def default_retention() -> None:
    """Fill in the retention that the embedded broker leaves unsaid, and that changelogs are derived from."""
    inspect = TopicAdmin.inspect_topics

    def inspect_with_default(self: TopicAdmin, *arguments: Any, **options: Any) -> dict[str, TopicConfig | None]:
        found: dict[str, TopicConfig | None] = inspect(self, *arguments, **options)
        for config in found.values():
            if config is not None and config.extra_config.get("retention.ms") is None:
                config.extra_config["retention.ms"] = "-1"
        return found

    TopicAdmin.inspect_topics = inspect_with_default


def new() -> dict[str, Any]:
    """Return the counts of a user before the first click."""
    return {"view": 0, "favorite": 0, "cart": 0, "purchase": 0, "spend": 0}


def add(totals: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
    """Add one click."""
    totals[event["action"]] += 1
    if event["action"] == "purchase":
        totals["spend"] += round(event["price"] * event.get("quantity", 1) * 1e6)
    return totals


COLUMNS = {"view": 0, "favorite": 1, "cart": 2, "purchase": 3}
SPEND, VIEWED_PRICE, PRICED_VIEWS, PRICED_PURCHASES = 4, 5, 6, 7
LEVELS = (("m", 300_000, 3_600_000), ("h", 3_600_000, 604_800_000), ("d", 86_400_000, 2_592_000_000))
"""Name, hop and longest window of each kind of tile, ms."""


def add_to_tiles(tiles: dict[str, dict[str, list[int]]], event: dict[str, Any]) -> None:
    """Add one click to its tile of each kind, and drop the tiles that no window reaches any more."""
    action, price, timestamp = event["action"], event.get("price"), event["timestamp"]
    for name, hop, length in LEVELS:
        level = tiles.setdefault(name, {})
        index = timestamp // hop
        tile = level.get(str(index))
        if tile is None:
            oldest = (timestamp - length) // hop
            for key in [key for key in level if int(key) < oldest]:
                del level[key]
            tile = level[str(index)] = [0] * 8
        tile[COLUMNS[action]] += 1
        if price is not None and action == "purchase":
            tile[SPEND] += round(price * event.get("quantity", 1) * 1e6)
            tile[PRICED_PURCHASES] += 1
        elif price is not None and action == "view":
            tile[VIEWED_PRICE] += round(price * 1e6)
            tile[PRICED_VIEWS] += 1


def run(arguments: dict[str, Any], folder: str) -> dict[str, Any]:
    """Consume `events` clicks and return what was measured."""
    app = Application(
        broker_address=arguments["broker"].removeprefix("kafka://"),
        consumer_group=arguments["group"],
        auto_offset_reset="earliest",
        state_dir=folder,
        use_changelog_topics=True,
        commit_interval=arguments["commit_interval_s"],
        consumer_extra_config={"session.timeout.ms": 6000, "fetch.wait.max.ms": 50},
        # The embedded broker has no idempotent producer.
        producer_extra_config={"enable.idempotence": False, "linger.ms": arguments["linger_ms"], "acks": "all"},
        loglevel=logging.ERROR,
    )
    clicks = app.topic(
        arguments["prefix"] + "clicks",
        key_deserializer="str",
        value_deserializer="bytes",
        timestamp_extractor=(lambda raw, *_: orjson.loads(raw)["timestamp"])
        if arguments["keeps"] == "window"
        else None,
    )
    results = app.topic(arguments["group"] + "-totals", key_serializer="str", value_serializer="json")
    wanted = arguments["events"]
    seen = 0
    instants: list[tuple[float, float]] = []

    def decode(raw: bytes) -> dict[str, Any]:
        nonlocal seen
        if seen == 0:
            instants[:] = [(time.perf_counter(), time.process_time())]
        seen += 1
        if seen == wanted:
            app.stop()
        event: dict[str, Any] = orjson.loads(raw)
        return event

    def count(event: dict[str, Any], state: State) -> dict[str, Any]:
        totals = add(state.get("totals") or new(), event)
        state.set("totals", totals)
        return totals

    def tile(event: dict[str, Any], state: State) -> dict[str, Any]:
        tiles = state.get("tiles") or {}
        add_to_tiles(tiles, event)
        state.set("tiles", tiles)
        return event

    frame = app.dataframe(clicks).apply(decode)
    if arguments["keeps"] == "window":
        hour = frame.hopping_window(duration_ms=3_600_000, step_ms=300_000)
        frame = hour.reduce(reducer=add, initializer=lambda event: add(new(), event)).current()
    else:
        frame = frame.apply(tile if arguments["keeps"] == "tiles" else count, stateful=True)
    if arguments["emit"]:
        frame = frame.to_topic(results)
    checkpoint = Checkpoint.commit

    def checkpoint_timed(self: Checkpoint, *, revoking: bool = False) -> None:
        checkpoint(self, revoking=revoking)
        instants.append((time.perf_counter(), time.process_time()))

    Checkpoint.commit = checkpoint_timed
    app.run()
    (began, began_cpu), (ended, ended_cpu) = instants[0], instants[-1]
    return {"events_per_second": seen / (ended - began), "cpu_us_per_event": (ended_cpu - began_cpu) / seen * 1e6}


def main(argv: Sequence[str]) -> None:
    """Run with the arguments given as one JSON object."""
    default_retention()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(run(json.loads(argv[0]), folder)))


if __name__ == "__main__":
    main(sys.argv[1:])
