"""Waiting until published input has been applied, published and acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from aiokafka import TopicPartition
from faust.types import TP

from streams.broker.topics.log_ends import high_watermarks
from streams.contract import FACTS, topic_name
from streams.exceptions import DrainTimeoutError
from streams.operating.feeder import Ends
from streams.worker.flow import Flow
from streams.worker.stages.item_stage import ItemStage

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
        """Wait until everything published is settled, and what it says of items with it.

        Raises:
            StreamsError: the flow has failed, or makes no progress.
        """
        await self._until(ends, 0)
        if (items := self._flow.items) is not None:
            await self._items_settled(items)

    def _settled(self, topic: str, partition: int) -> int:
        name = topic_name(self._flow.settings, topic)
        position: int = self._flow.app.consumer.settled_position(TP(name, partition))
        return position

    async def _until(self, ends: Ends, unsettled: int) -> None:
        progressed: asyncio.Event = self._flow.app.consumer.progressed
        while self.behind(ends) > unsettled:
            progressed.clear()
            await self._progress(progressed, "input")
            if self._watch is not None:
                self._watch(ends)

    async def _items_settled(self, items: ItemStage) -> None:
        """Wait until the facts of all that is settled are too, and then the titles of items.

        No further fact comes: those of a record are acknowledged before the record is settled.
        """
        facts = topic_name(self._flow.settings, FACTS)
        consumer: Any = items.app.consumer
        logs = [TopicPartition(facts, number) for number in range(self._flow.settings.partitions)]
        ends = await high_watermarks(self._flow.settings, logs)
        while any(consumer.settled_position(TP(*log)) < end for log, end in ends.items()):
            consumer.progressed.clear()
            await self._progress(consumer.progressed, "fact")
        await self._or_failed(asyncio.ensure_future(items.titles_settled()), "title of an item")

    async def _progress(self, progressed: asyncio.Event, what: str) -> None:
        await self._or_failed(asyncio.ensure_future(progressed.wait()), what)

    async def _or_failed(self, waiting: asyncio.Future[Any], what: str) -> None:
        """Wait for progress, or the failure of the flow.

        Raises:
            StreamsError: the flow has failed, or makes no progress.
        """
        either: list[asyncio.Future[Any]] = [waiting, self._flow.failed]
        await asyncio.wait(either, timeout=STALLED_S, return_when=asyncio.FIRST_COMPLETED)
        done = waiting.done()
        waiting.cancel()
        if self._flow.failed.done():
            self._flow.failed.result()
        if not done:
            raise DrainTimeoutError(
                f"no {what} was settled for {STALLED_S:.0f} s: check the log for the encoder or the online store"
            )
