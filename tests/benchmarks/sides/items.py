"""The stage of items alone over facts: when each partition is done, in seconds.

The facts were published before, or come from a stage of users beside it: `ready` is printed when they are waited for.
The clock runs from the first batch taken. A partition is done once its facts are acknowledged: their states are in the
changelog and their records published. The online store takes everything and keeps nothing.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.material.doubles import NullStore
from benchmarks.material.first_batch import clock_from_first_batch
from faust.types import TP
from support.encoders import HashEncoder

from streams.contract import FACTS, topic_name
from streams.settings import WindowEdge, load_settings
from streams.worker.flow import Flow
from streams.worker.stages import stores


async def run(arguments: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Consume what is there and return what was measured."""
    stores.open_online_store = lambda *_, **__: NullStore()  # type: ignore[attr-defined]
    started = clock_from_first_batch()
    settings = load_settings(
        broker=arguments["broker"],
        topic_prefix=arguments["prefix"],
        group=arguments["group"],
        state_dir=folder,
        state_store="rocksdb",
        window_edge=WindowEdge.EVENT,
        session_timeout_s=6.0,
        heartbeat_interval_s=0.5,
        items=True,
        stages="items",
    )
    # None where a stage of users is still to write them.
    ends = {int(number): end for number, end in arguments.get("ends", {}).items()}
    done: dict[int, float] = {}
    async with Flow(settings, encoder=HashEncoder()) as running:
        print("ready", flush=True)
        assert running.items is not None
        consumer: Any = running.items.app.consumer
        name = topic_name(settings, FACTS)
        while len(done) < len(ends) or running.tally.facts_applied < arguments["facts"]:
            consumer.progressed.clear()
            await consumer.progressed.wait()
            seconds = time.perf_counter() - started[0]
            for number, end in ends.items():
                if number not in done and consumer.settled_position(TP(name, number)) >= end:
                    done[number] = seconds
        cpu = time.process_time() - started[1]
        applied = running.tally.facts_applied
    if applied != arguments["facts"]:
        raise SystemExit(f"expected {arguments['facts']} facts applied, found {applied}")
    return {"seconds": done, "facts_per_second": applied / seconds, "cpu_us_per_fact": cpu / applied * 1e6}


def main(argv: Sequence[str]) -> None:
    """Run with the arguments given as one JSON object."""
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(asyncio.run(run(json.loads(argv[0]), Path(folder)))))


if __name__ == "__main__":
    main(sys.argv[1:])
