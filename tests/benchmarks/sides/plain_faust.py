"""A plain Faust app counting the same clicks: events per second.

What the documentation shows: an agent over a topic, a table with its changelog. Its best settings: the in-memory
store, raw bytes decoded by orjson instead of Faust's models, large fetches, no web server, and uncounted start-up.
It counts less than ours does: lifetime counts and spend per user, no windows, no duplicates, no offset fence. Its
clock stops when the last event is in the table and the changelog is flushed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import faust
import orjson
from faust.app.base import BootStrategy

LIMIT_S = 240.0


class Boot(BootStrategy):
    """Starts no web server."""

    enable_web = False


class App(faust.App):
    """An app without a web server."""

    BootStrategy = Boot


def add(known: dict[str, Any] | None, event: dict[str, Any]) -> dict[str, Any]:
    """Return the counts and the spend of a user with one more click."""
    counts = dict(known) if known else {"view": 0, "favorite": 0, "cart": 0, "purchase": 0, "spend": 0}
    counts[event["action"]] += 1
    if event["action"] == "purchase":
        counts["spend"] += round(event["price"] * event.get("quantity", 1) * 1e6)
    return counts


async def run(arguments: dict[str, Any], folder: str) -> dict[str, Any]:
    """Consume `events` clicks and return what was measured."""
    app = App(
        arguments["group"],
        broker=arguments["broker"],
        store="memory://",
        datadir=folder,
        topic_partitions=arguments["partitions"],
        broker_session_timeout=6.0,
        broker_heartbeat_interval=0.5,
        broker_rebalance_timeout=3.0,
        broker_max_poll_records=2000,
        stream_buffer_maxsize=16_384,
        consumer_auto_offset_reset="earliest",
        stream_wait_empty=False,
        web_enabled=False,
        autodiscover=False,
        loghandlers=[],
        logging_config=None,
    )
    clicks = app.topic(arguments["prefix"] + "clicks", key_type=bytes, value_type=bytes, value_serializer="raw")
    totals = app.Table("totals", partitions=arguments["partitions"], use_partitioner=bool(arguments["take"]))
    wanted = arguments["events"]
    seen = 0
    instants: list[tuple[float, float]] = []
    done = asyncio.Event()

    def passed(events: int) -> None:
        nonlocal seen
        seen += events
        if seen >= wanted:
            done.set()

    async def one_by_one(stream: Any) -> None:
        async for value in stream:
            event = orjson.loads(value)
            totals[event["user_id"]] = add(totals.get(event["user_id"]), event)
            passed(1)

    async def by_batch(stream: Any) -> None:
        async for values in stream.take(arguments["take"], within=0.1):
            touched: dict[str, Any] = {}
            for value in values:
                event = orjson.loads(value)
                user = event["user_id"]
                touched[user] = add(touched.get(user) or totals.get(user), event)
            for user, counts in touched.items():
                totals[user] = counts
            passed(len(values))

    app.agent(clicks)(by_batch if arguments["take"] else one_by_one)
    logging.getLogger("faust").setLevel(logging.ERROR)
    _clock_from_first_message(app, instants)
    async with asyncio.timeout(LIMIT_S):
        await app.start()
        await done.wait()
        counted = seen
        await app.producer.flush()
    (began, began_cpu), ended, ended_cpu = instants[0], time.perf_counter(), time.process_time()
    await app.stop()
    return {"events_per_second": counted / (ended - began), "cpu_us_per_event": (ended_cpu - began_cpu) / counted * 1e6}


def _clock_from_first_message(app: faust.App, instants: list[tuple[float, float]]) -> None:
    """Start the clock when the first message leaves the consumer."""
    receive = app.sensors.on_message_in

    def note(*arguments: Any, **options: Any) -> None:
        if not instants:
            instants.append((time.perf_counter(), time.process_time()))
        receive(*arguments, **options)

    app.sensors.on_message_in = note


def main(argv: Sequence[str]) -> None:
    """Run with the arguments given as one JSON object."""
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(asyncio.run(run(json.loads(argv[0]), folder))))


if __name__ == "__main__":
    main(sys.argv[1:])
