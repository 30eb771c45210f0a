"""A lane: the records of one partition of a source, translated and sent in the order of their offsets.

Translating goes on while what was translated before waits for the broker. The source's offset is acknowledged once the
broker has acknowledged every event and every dead letter that was made of a batch.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import ConsumerRecord

from streams.records.rejection import Rejection
from streams.records.withheld import Withheld
from streams.rekeying.gate import Gate
from streams.rekeying.sending import Batch, Outlets, Sending
from streams.rekeying.translating import Sourced, Translation, Translator
from streams.rekeying.watched_values import Values
from streams.tasks import Tasks

AHEAD: Final = 2
"""Batches that are translated and wait to be sent: one is at hand when the one before it is handed over."""

UNDER_WAY: Final = 1
"""Batches that are sent and wait for the one before them: as few as keep the broker busy, since what a killed process
has sent and not committed is sent again."""


@dataclass(frozen=True)
class Bench:
    """What lanes work with, those of all sources.

    Attributes:
        slice_records: records translated before other work gets its turn.
        on_failure: told of an error that ends the assignment or the process.
    """

    values: Values
    translator: Translator
    outlets: Outlets
    slice_records: int
    on_failure: Callable[[BaseException], None]


class Lane:
    """The records of one partition of a source.

    Args:
        topic: the source's name on the broker.
        gate: of the source.
        bench: what to work with.
    """

    def __init__(self, topic: str, number: int, gate: Gate, bench: Bench) -> None:
        self._topic = topic
        self._gate = gate
        self._bench = bench
        # Bounded by the consumer, which takes in no more records and bytes than it may have unacknowledged.
        self._batches: asyncio.Queue[Any] = asyncio.Queue()
        self._translated: asyncio.Queue[Batch] = asyncio.Queue(AHEAD)
        self._sent: asyncio.Queue[Sending] = asyncio.Queue(UNDER_WAY)
        self._tasks = Tasks(f"lane-{topic}-{number}", bench.on_failure)
        self._closed = False
        self._sends = False
        self._translating = self._tasks.begin(self._translate())
        self._sending = self._tasks.begin(self._send())
        self._finishing = self._tasks.begin(self._finish())

    def submit(self, event: Any) -> None:
        """Take a batch: a Faust event whose value is a list of records of this partition."""
        self._batches.put_nowait(event)

    def close(self) -> None:
        """Begin to send nothing more; what is sent is still acknowledged, and so is the rest of its batch."""
        self._closed = True
        self._translating.cancel()
        if not self._sends:
            self._sending.cancel()

    async def drain(self) -> None:
        """Wait, after `close`, until what was sent is acknowledged."""
        await asyncio.wait({self._sending, self._finishing}, return_when=asyncio.FIRST_COMPLETED)
        finished = asyncio.ensure_future(self._sent.join())
        try:
            await asyncio.wait({finished, self._finishing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            finished.cancel()

    def stop(self) -> None:
        """Acknowledge nothing more."""
        self._tasks.cancel()

    async def _translate(self) -> None:
        size = self._bench.slice_records
        while True:
            event = await self._batches.get()
            records: Sequence[ConsumerRecord] = event.value
            translations: list[Translation] = []
            for start in range(0, len(records), size):
                translations += await self._translate_some(records[start : start + size])
                await asyncio.sleep(0)
            # Faust's event and message refer to each other: without their records.
            event.value = event.message.value = None
            await self._translated.put(Batch(event, records, translations))

    async def _translate_some(self, records: Sequence[ConsumerRecord]) -> list[Translation]:
        bench = self._bench
        values = await self._values(records)
        sourced = [
            Sourced(self._topic, record.partition, record.offset, value)
            for record, value in zip(records, values, strict=True)
        ]
        translations = bench.translator.translate(sourced, int(time.time() * 1000))
        for record, translation in zip(records, translations, strict=True):
            size = len(record.value or b"")
            self._gate.judge(translation.rejection, record.partition, record.offset, size)
        return translations

    async def _values(self, records: Sequence[ConsumerRecord]) -> list[bytes | Rejection]:
        """Return the JSON of each record; the value of a record that has none, or is not unpacked, stays as it is."""
        values: list[bytes | Rejection] = [record.value or _nothing(record) for record in records]
        there = [number for number, value in enumerate(values) if value]
        found = await self._bench.values.read([records[number].value for number in there])
        for number, value in zip(there, found, strict=True):
            values[number] = value
        return values

    async def _send(self) -> None:
        await self._gate.opened.wait()
        while not self._closed:
            batch = await self._translated.get()
            # From here on to its end: what is sent of a batch in part is sent again, by whoever comes next.
            self._sends = True
            sending = Sending(self._bench.outlets, batch)
            await sending.begin()
            await self._sent.put(sending)
            self._sends = False

    async def _finish(self) -> None:
        while True:
            sending = await self._sent.get()
            await sending.finish()
            self._sent.task_done()


def _nothing(record: ConsumerRecord) -> bytes:
    # That of a batch that was not unpacked is empty too, and tells why.
    return record.value if isinstance(record.value, Withheld) else b""
