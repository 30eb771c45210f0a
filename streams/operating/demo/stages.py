"""The two stages of the demo: a backlog, and a stretch at a pace, whose latency is told apart from the backlog's."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from streams.operating.demo.closing import Live
from streams.operating.demo.pacing import Line, paced
from streams.operating.demo.screen import Reading
from streams.operating.drain import Drain
from streams.operating.feeder import Feeder
from streams.sources.reading import numbered
from streams.telemetry.tally import Fate
from streams.worker.flow import Flow

PER_SECOND: Final = 100.0
"""The pace of the last events: that of a shop with millions of events a day, and a fraction of what one core
of a small machine takes."""


class Stages:
    """Feeds a flow, first as fast as it takes events, then at a steady pace.

    Args:
        flow: started; it keeps latencies.
        drain: of the flow.
        feeder: publishes to the flow's topics.

    Attributes:
        flow: the flow.
        backlog_s: seconds that the backlog took.
        live_s: seconds that the paced stretch took.
    """

    def __init__(self, flow: Flow, drain: Drain, feeder: Feeder) -> None:
        self.flow = flow
        self._drain = drain
        self._feeder = feeder
        self._latencies_of_backlog: int | None = None
        self.backlog_s = 0.0
        self.live_s = 0.0

    async def take_backlog(self, lines: Sequence[Line]) -> None:
        """Publish lines as fast as they are taken, and wait until all are settled; it may be called again."""
        started = time.monotonic()
        await self._publish(lines)
        await self._drain.drained(self._feeder.ends)
        self.backlog_s = round(self.backlog_s + time.monotonic() - started, 3)

    async def take_live(self, lines: Sequence[Line]) -> None:
        """Publish lines at a steady pace, and wait until all are settled. Latencies are theirs from now on."""
        started = time.monotonic()
        self._latencies_of_backlog = self.flow.tally.latencies
        await paced(self._publish, lines, PER_SECOND)
        await self._drain.drained(self._feeder.ends)
        self.live_s = round(time.monotonic() - started, 3)

    async def _publish(self, lines: Sequence[Line]) -> None:
        await self._feeder.feed(numbered(lines))

    def live(self, events: int) -> Live:
        """Return the figures of the paced stretch, which had so many events."""
        return Live(events, PER_SECOND, self.live_s, self._latency() or {})

    def reading(self) -> Reading:
        """Return the figures of this moment."""
        waiting = self._drain.behind(self._feeder.ends)
        tally = self.flow.tally
        return Reading(
            settled=self._feeder.events - waiting,
            waiting=waiting,
            scores=tally.scores_out,
            texts=self.flow.engine.equipment.reader.encoded,
            dead_letters=tally.fates[Fate.DEAD_LETTER] + self._feeder.rejected,
            latency_ms=self._latency(),
        )

    def _latency(self) -> dict[str, float | None] | None:
        if self._latencies_of_backlog is None:
            return None
        return self.flow.tally.latency_percentiles(self._latencies_of_backlog)
