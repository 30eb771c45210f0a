"""One worker of this program over clicks published before: events per second.

The clock runs from the first batch taken to the last one acknowledged, its state in the changelog and, with `emit`,
its scores acknowledged too. Start-up is left out, and so is the online store, which has a benchmark of its own.
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

from benchmarks.material.doubles import NullStore, SilentEmitter
from benchmarks.material.first_batch import clock_from_first_batch
from support.encoders import HashEncoder

from streams.contract import CLICKS
from streams.operating.drain import Drain
from streams.settings import WindowEdge, load_settings
from streams.telemetry.tally import Fate
from streams.worker.flow import Flow
from streams.worker.stages import stores, user_stage


async def run(arguments: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Consume what is there and return what was measured."""
    stores.open_online_store = lambda *_, **__: NullStore()  # type: ignore[attr-defined]
    if not arguments["emit"]:
        user_stage.Emitter = SilentEmitter  # type: ignore[attr-defined]
    started = clock_from_first_batch()
    settings = load_settings(
        broker=arguments["broker"],
        topic_prefix=arguments["prefix"],
        group=arguments["group"],
        state_dir=folder,
        state_store=arguments.get("store", "rocksdb"),
        window_edge=WindowEdge.EVENT,
        session_timeout_s=6.0,
        heartbeat_interval_s=0.5,
        items=arguments.get("items", False),
        stages="users",
    )
    ends = {(CLICKS, int(number)): end for number, end in arguments["ends"].items()}
    async with Flow(settings, encoder=HashEncoder()) as running:
        await Drain(running, 0).drained(ends)
        seconds, cpu = time.perf_counter() - started[0], time.process_time() - started[1]
        events = sum(ends.values())
        applied = running.tally.fates[Fate.APPLIED]
        if applied != events:
            raise SystemExit(f"expected {events} events applied, found {applied}")
        return {
            "events_per_second": events / seconds,
            "cpu_us_per_event": cpu / events * 1e6,
            "scores": running.tally.scores_out,
            "facts": running.tally.facts_sent,
        }


def main(argv: Sequence[str]) -> None:
    """Run with the arguments given as one JSON object."""
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(asyncio.run(run(json.loads(argv[0]), Path(folder)))))


if __name__ == "__main__":
    main(sys.argv[1:])
