"""A lane: the records of one topic partition, handled in offset order, and acknowledged once they are settled.

Lanes do not wait for one another, so a click never waits for a text. What becomes of a record is the handler's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from aiokafka import ConsumerRecord

from streams.broker.letters import Letter
from streams.tasks import Tasks


class Handler(Protocol):
    """Decodes, reads and applies the records of one topic partition."""

    @property
    def slice_records(self) -> int:
        """Records handled together, before other lanes get their turn."""

    @property
    def paused(self) -> bool:
        """Whether somebody waits for room."""

    async def room(self) -> None:
        """Wait until a further slice may be handled."""

    async def handle(self, records: Sequence[ConsumerRecord]) -> list[Letter]:
        """Handle a slice; return the dead letters that it gave."""
        ...

    def close(self) -> None:
        """Begin nothing more that others would wait for."""

    async def drain(self) -> None:
        """Wait, after `close`, until what was begun is published."""

    def stop(self) -> None:
        """Let go of everything."""


class Lane:
    """The records of one topic partition.

    Args:
        name: of the topic partition.
        handler: of its records.
        settled: returns a future that is done when everything handled so far is durable and published.
        on_failure: told of an error that ends the worker.
    """

    def __init__(
        self,
        name: str,
        handler: Handler,
        settled: Callable[[], asyncio.Future[None]],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._handler = handler
        self._settled = settled
        # Bounded by the consumer, which takes in no more records and bytes than it may have unacknowledged.
        self._batches: asyncio.Queue[Any] = asyncio.Queue()
        self._tasks = Tasks(f"lane-{name}", on_failure)
        self._intake = self._tasks.begin(self._run())

    def submit(self, event: Any) -> None:
        """Take a batch: a Faust event whose value is a list of records of this topic partition."""
        self._batches.put_nowait(event)

    def close(self) -> None:
        """Apply nothing more; what is applied is still acknowledged when it is settled."""
        self._intake.cancel()
        self._handler.close()

    async def drain(self) -> None:
        """Wait, after `close`, until what was applied in full is acknowledged."""
        await self._tasks.ended()
        await self._handler.drain()

    def stop(self) -> None:
        """Acknowledge nothing more."""
        self._tasks.cancel()
        self._handler.stop()

    @property
    def paused(self) -> bool:
        """Whether clicks wait for titles, since as many wait as may."""
        return self._handler.paused

    async def _run(self) -> None:
        while True:
            event = await self._batches.get()
            letters = await self._handle_all(event.value)
            # Faust's event and message refer to each other and wait for the cycle collector, and an acknowledgement
            # may be long in coming: without their records.
            event.value = event.message.value = None
            self._tasks.begin(self._acknowledge(event, self._settled(), letters))

    async def _handle_all(self, records: Sequence[ConsumerRecord]) -> list[Letter]:
        handler, size = self._handler, self._handler.slice_records
        letters: list[Letter] = []
        for start in range(0, len(records), size):
            await handler.room()
            letters += await handler.handle(records[start : start + size])
            await asyncio.sleep(0)
        return letters

    async def _acknowledge(self, event: Any, settled: asyncio.Future[None], letters: Sequence[Letter]) -> None:
        for letter in letters:
            await letter.acknowledged()
        await settled
        event.ack()
