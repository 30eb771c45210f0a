"""The handler of the facts topic: messages of one partition, decoded and applied in offset order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from aiokafka import ConsumerRecord

from streams.broker.letters import Letter, Letters
from streams.contract import FACTS
from streams.records.items.facts import FactBatch, Forecast, Message, Remainder, decode
from streams.records.rejection import Reason, Rejection
from streams.telemetry.metrics import Metrics
from streams.telemetry.tally import Tally
from streams.worker.items.item_partition import ItemPartition

RECORDS_AT_ONCE: Final = 64
"""Records handled together; within them other work gets its turn by the number of facts."""


class FactHandler:
    """Handles the records of one partition of the facts topic.

    Args:
        partition: the items of that partition.
        letters: where messages go that are none, or of which some facts are none.
        tally, metrics: what is counted.
        partitions: how many there are.
        slice_facts: facts applied before other work gets its turn.

    Attributes:
        slice_records: records handled together.
        paused: never: facts wait for nothing.
    """

    def __init__(
        self,
        partition: ItemPartition,
        *,
        letters: Letters,
        tally: Tally,
        metrics: Metrics,
        partitions: int,
        slice_facts: int,
    ) -> None:
        self._partition = partition
        self._letters = letters
        self._tally = tally
        self._metrics = metrics
        self._partitions = partitions
        self._slice_facts = slice_facts
        self._applied = 0
        self.slice_records = RECORDS_AT_ONCE
        self.paused = False

    async def room(self) -> None:
        """Return at once."""

    def close(self) -> None:
        """Do nothing: titles are read until the partition is stopped."""

    async def drain(self) -> None:
        """Return at once."""

    def stop(self) -> None:
        """Do nothing."""

    async def handle(self, records: Sequence[ConsumerRecord]) -> list[Letter]:
        """Handle a slice; return the dead letters that it gave.

        Raises:
            NewerFactsError: a message was written by a newer release.
            MisplacedKeyError: an item belongs in another partition.
        """
        letters: list[Letter] = []
        for record in records:
            message = self._of_known_partition(decode(record.value))
            if isinstance(message, Rejection):
                letters.append(await self._reject(record, message))
            elif isinstance(message, Remainder):
                letters.append(await self._reject(record, message.rejection))
                self._metrics.facts_refused.inc(message.refused)
                await self._apply(message.batch, record)
            elif isinstance(message, FactBatch):
                await self._apply(message, record)
            elif isinstance(message, Forecast):
                self._partition.take_forecast(message, record.offset)
            else:
                self._partition.forget(message, record.offset)
        return letters

    def _of_known_partition(self, message: Message | Remainder | Rejection) -> Message | Remainder | Rejection:
        """Return a message, or that it tells of events of a partition that there is none of."""
        batch = message.batch if isinstance(message, Remainder) else message
        if not isinstance(batch, FactBatch) or batch.source_partition < self._partitions:
            return message
        found = f"expected facts of a partition below {self._partitions}, found {batch.source_partition}"
        return Rejection(Reason.MALFORMED, found)

    async def _apply(self, batch: FactBatch, record: ConsumerRecord) -> None:
        """Apply facts, each in one synchronous step; a lane that is closed in between has applied some of them."""
        source, head, facts = batch.source_partition, batch.head, batch.facts
        apply, size = self._partition.apply, self._slice_facts
        for start in range(0, len(facts), size):
            part = facts[start : start + size]
            new = [fact for fact in part if apply(fact, source, head, record.offset, record.timestamp)]
            self._tally.applied_facts(source, record.partition, new)
            self._metrics.facts_repeated.inc(len(part) - len(new))
            self._applied += len(part)
            if self._applied >= size:
                self._applied = 0
                await asyncio.sleep(0)

    async def _reject(self, record: ConsumerRecord, rejection: Rejection) -> Letter:
        self._metrics.dead_letters.labels(rejection.reason.value).inc()
        origin = (FACTS, record.partition, record.offset)
        return await self._letters.post(origin, record.key, record.value, rejection, record.partition)
