"""One process that re-keys over a shop's topic published before: records per second.

The clock runs from the first batch taken to the last one whose events the broker has acknowledged.
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

from streams.rekeying.flow import Flow
from streams.rekeying.rekeyer import Rekeyer
from streams.rekeying.sending import Sending
from streams.settings import load_settings


async def run(arguments: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Re-key what is there and return what was measured."""
    started: list[float] = []
    finished = asyncio.Event()
    left = arguments["records"]
    submit, finish = Rekeyer.submit, Sending.finish

    def submit_timed(self: Rekeyer, event: Any) -> None:
        if not started:
            started.extend((time.perf_counter(), time.process_time()))
        submit(self, event)

    async def finish_counted(self: Sending) -> None:
        nonlocal left
        await finish(self)
        left -= len(self._batch.records)
        if left <= 0:
            finished.set()

    Rekeyer.submit = submit_timed  # type: ignore[method-assign]
    Sending.finish = finish_counted  # type: ignore[method-assign]
    settings = load_settings(
        broker=arguments["broker"],
        topic_prefix=arguments["prefix"],
        partitions=arguments["partitions"],
        rekey_sources=arguments["source"],
        rekey_format=arguments["format"],
        state_dir=folder,
        session_timeout_s=6.0,
        heartbeat_interval_s=0.5,
    )
    async with Flow(settings):
        await finished.wait()
        seconds, cpu = time.perf_counter() - started[0], time.process_time() - started[1]
    records = arguments["records"]
    return {"events_per_second": records / seconds, "cpu_us_per_event": cpu / records * 1e6}


def main(argv: Sequence[str]) -> None:
    """Run with the arguments given as one JSON object."""
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(asyncio.run(run(json.loads(argv[0]), Path(folder)))))


if __name__ == "__main__":
    main(sys.argv[1:])
