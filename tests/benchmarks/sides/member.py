"""One worker of a group: prints how many partitions it has and how many records it has settled, whenever that moves."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.material.doubles import NullStore
from faust.types import TP
from support.encoders import HashEncoder

from streams.contract import CLICKS, topic_name
from streams.settings import WindowEdge, load_settings
from streams.worker.flow import Flow
from streams.worker.stages import stores

POLL_S: Final = 0.02


async def run(arguments: dict[str, Any], folder: Path) -> None:
    """Work until told to end."""
    stores.open_online_store = lambda *_, **__: NullStore()  # type: ignore[attr-defined]
    settings = load_settings(
        broker=arguments["broker"],
        topic_prefix=arguments["prefix"],
        state_dir=folder,
        state_store="rocksdb",
        window_edge=WindowEdge.EVENT,
        session_timeout_s=6.0,
        heartbeat_interval_s=0.5,
    )
    async with Flow(settings, encoder=HashEncoder()) as running:
        name = topic_name(settings, CLICKS)
        told: dict[str, int] = {}
        while not running.failed.done():
            numbers = list(running.engine.partitions)
            settled = sum(running.app.consumer.settled_position(TP(name, number)) for number in numbers)
            if told != (told := {"partitions": len(numbers), "settled": settled}):
                print(json.dumps(told), flush=True)
            await asyncio.sleep(POLL_S)
        await running.wait()


def main(argv: Sequence[str]) -> None:
    """Run with the arguments given as one JSON object."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(json.loads(argv[0]), Path(folder)))


if __name__ == "__main__":
    main(sys.argv[1:])
