"""Waiting until published input has been applied, published and acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from faust.types import TP

from streams.contract import topic_name
from streams.exceptions import DrainTimeoutError
from streams.operating.feeder import Ends
from streams.worker.flow import Flow

STALLED_S: Final = 300.0
"""Seconds without progress after which waiting is given up."""


class Drain:
    """Watches how many of the published records a flow has settled.

    Args:
        flow: started.
        lead: the number of published records that may be unsettled (`hold_back`).
        watch: called with the ends whenever more is settled while this waits; None for nobody.
    """

    def __init__(self, flow: Flow, lead: int, watch: Callable[[Ends], object] | None = None) -> None:
        self._flow = flow
        self._lead = lead
        self._watch = watch

    def behind(self, ends: Ends) -> int:
        """Return the number of published records that are not settled."""
        return sum(max(0, end - self._settled(topic, partition)) for (topic, partition), end in ends.items())

    async def hold_back(self, ends: Ends) -> None:
        """Wait until no more than `lead` records are unsettled.

        Raises:
            StreamsError: the flow has failed, or makes no progress.
        """
        await self._until(ends, self._lead)

    async def drained(self, ends: Ends) -> None:
        """Wait until everything published is settled.

        Raises:
            StreamsError: the flow has failed, or makes no progress.
        """
        await self._until(ends, 0)

    def _settled(self, topic: str, partition: int) -> int:
        name = topic_name(self._flow.settings, topic)
        position: int = self._flow.app.consumer.settled_position(TP(name, partition))
        return position

    async def _until(self, ends: Ends, unsettled: int) -> None:
        progressed: asyncio.Event = self._flow.app.consumer.progressed
        while self.behind(ends) > unsettled:
            progressed.clear()
            waiting = asyncio.create_task(progressed.wait())
            either: list[asyncio.Future[Any]] = [waiting, self._flow.failed]
            await asyncio.wait(either, timeout=STALLED_S, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if self._flow.failed.done():
                self._flow.failed.result()
            if not progressed.is_set():
                raise DrainTimeoutError(
                    f"no input was settled for {STALLED_S:.0f} s: check the log for the encoder or the online store"
                )
            if self._watch is not None:
                self._watch(ends)
