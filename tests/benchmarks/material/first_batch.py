"""A clock that runs from the first batch taken, so that the start of a worker is left out."""

from __future__ import annotations

import time
from typing import Any

from streams.worker.engine import Engine


def clock_from_first_batch() -> list[float]:
    """Return (wall clock, processor time), seconds, of the first batch that an engine takes; empty until then."""
    started: list[float] = []
    submit = Engine.submit

    def submit_timed(self: Engine[Any], topic: str, event: Any) -> None:
        if not started:
            started.extend((time.perf_counter(), time.process_time()))
        submit(self, topic, event)

    Engine.submit = submit_timed  # type: ignore[method-assign]
    return started
