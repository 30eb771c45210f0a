"""A lane: the records of one topic partition, decoded, read and applied in offset order.

Lanes do not wait for one another, so a click never waits for a text. A text is read first, without touching the
state; then its event is applied in one synchronous step.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import ConsumerRecord

from models.exceptions import EncoderUnavailableError, TextRejectedError
from streams.broker.letters import Letter, Letters
from streams.contract import ERASURES, REVIEWS, SEARCHES
from streams.inference.text_reader import TextReader
from streams.log import log
from streams.records.decoder import Decoded, Decoder
from streams.records.events import Erasure, Review, Search, text_of
from streams.records.observer import NOTHING_READ, Observer, Reading
from streams.records.rejection import Reason, Rejection
from streams.tasks import Tasks
from streams.telemetry.metrics import Metrics
from streams.telemetry.tally import Fate, Tally
from streams.worker.applying.future_times import FutureTimes
from streams.worker.applying.partition import Partition

TEXTS_AT_ONCE: Final = 64
"""Texts read together: enough for full batches of the encoder, few enough that the first is not held up by the last."""

ENCODER_ATTEMPTS: Final = 3
"""Failures in a row before the encoder counts as down."""

FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 10.0

# Members of an enumeration are slow to look up, and this one is looked up for every event.
_APPLIED: Final = Fate.APPLIED


@dataclass(frozen=True)
class Workshop:
    """What lanes work with, shared by all of a worker.

    Attributes:
        future: told of everything taken in.
        slice_records: records handled before other lanes get their turn.
        on_encoder: told (lane, whether the encoder is down for it).
        on_failure: told of an error that ends the worker.
    """

    decoder: Decoder
    future: FutureTimes
    observer: Observer
    reader: TextReader
    letters: Letters
    tally: Tally
    metrics: Metrics
    slice_records: int
    on_encoder: Callable[[Lane, bool], None]
    on_failure: Callable[[BaseException], None]


class Lane:
    """The records of one topic partition.

    Args:
        topic: its name in the contract.
        partition: the users of that partition.
        workshop: what to work with.
    """

    def __init__(self, topic: str, partition: Partition, workshop: Workshop) -> None:
        self.topic = topic
        self._partition = partition
        self._shop = workshop
        # Bounded by the consumer, which takes in no more records and bytes than it may have unacknowledged.
        self._batches: asyncio.Queue[Any] = asyncio.Queue()
        self._tasks = Tasks(f"lane-{topic}-{partition.number}", workshop.on_failure)
        self._intake = self._tasks.begin(self._run())

    def submit(self, event: Any) -> None:
        """Take a batch: a Faust event whose value is a list of records of this topic partition."""
        self._batches.put_nowait(event)

    def close(self) -> None:
        """Apply nothing more; what is applied is still acknowledged when it is settled."""
        self._intake.cancel()

    async def drain(self) -> None:
        """Wait, after `close`, until what was applied in full is acknowledged."""
        await self._tasks.ended()

    def stop(self) -> None:
        """Acknowledge nothing more."""
        self._tasks.cancel()

    async def _run(self) -> None:
        size = TEXTS_AT_ONCE if self.topic in (REVIEWS, SEARCHES) else self._shop.slice_records
        while True:
            event = await self._batches.get()
            letters = await self._handle_all(event.value, size)
            # Faust's event and message refer to each other and wait for the cycle collector, and an acknowledgement
            # may be long in coming: without their records.
            event.value = event.message.value = None
            self._tasks.begin(self._acknowledge(event, self._partition.settled(), letters))

    async def _handle_all(self, records: Sequence[ConsumerRecord], size: int) -> list[Letter]:
        letters: list[Letter] = []
        for start in range(0, len(records), size):
            letters += await self._handle(records[start : start + size])
            await asyncio.sleep(0)
        return letters

    async def _handle(self, records: Sequence[ConsumerRecord]) -> list[Letter]:
        items = self._shop.decoder.decode_all(self.topic, records)
        self._shop.future.look(self.topic, records, items)
        readings = await self._read(items) if self.topic in (REVIEWS, SEARCHES) else {}
        letters: list[Letter] = []
        offsets: list[int] = []
        fates: list[Fate] = []
        categories: list[int | None] = []
        observe, apply = self._shop.observer.observe, self._partition.apply
        for position, (record, item) in enumerate(zip(records, items, strict=True)):
            reading = NOTHING_READ
            if readings:
                found = readings.get(position, NOTHING_READ)
                if isinstance(found, TextRejectedError):
                    item = Rejection(Reason.ENCODER_FAILED, "text or query: expected one that the encoder takes")
                else:
                    reading = found
            if isinstance(item, Rejection):
                # In offset order, and before this lane can be closed while it waits.
                self._count(offsets, fates, categories)
                letters.append(await self._reject(record, item))
            elif isinstance(item, Erasure):
                self._partition.erase(item, record.offset)
            else:
                seen = observe(item, record.offset, reading)
                fates.append(apply(item.user_id, seen, self.topic, record.timestamp))
                categories.append(seen.category)
                offsets.append(record.offset)
        self._count(offsets, fates, categories)
        return letters

    def _count(self, offsets: list[int], fates: list[Fate], categories: list[int | None]) -> None:
        """Count what was applied, and start anew."""
        applied = zip(categories, fates, strict=True)
        named = [category for category, fate in applied if category is not None and fate is _APPLIED]
        if named:
            self._shop.tally.count_categories(len(named), named.count(self._shop.observer.other))
        self._shop.tally.count_all(self.topic, self._partition.number, offsets, fates)
        offsets.clear()
        fates.clear()
        categories.clear()

    async def _reject(self, record: ConsumerRecord, rejection: Rejection) -> Letter:
        shop = self._shop
        if self.topic != ERASURES:
            shop.tally.count(self.topic, record.partition, record.offset, Fate.DEAD_LETTER)
        shop.metrics.dead_letters.labels(rejection.reason.value).inc()
        origin = (self.topic, record.partition, record.offset)
        return await shop.letters.post(origin, record.key, record.value, rejection, record.partition)

    async def _read(self, items: Sequence[Decoded]) -> dict[int, Reading | TextRejectedError]:
        """Read the texts among the items, by position, waiting out an encoder that is down."""
        texts = {position: text_of(item) for position, item in enumerate(items) if isinstance(item, Review | Search)}
        attempts, pause = 0, FIRST_PAUSE_S
        while True:
            try:
                readings = await self._shop.reader.read(list(texts.values()))
            except EncoderUnavailableError as error:
                attempts += 1
                if attempts == ENCODER_ATTEMPTS:
                    log.error("encoder is down, texts wait uncommitted", topic=self.topic, error=str(error))
                    self._shop.on_encoder(self, True)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)
            else:
                if attempts >= ENCODER_ATTEMPTS:
                    log.info("encoder is back, texts resume from their offset", topic=self.topic)
                    self._shop.on_encoder(self, False)
                return dict(zip(texts, readings, strict=True))

    async def _acknowledge(self, event: Any, settled: asyncio.Future[None], letters: Sequence[Letter]) -> None:
        for letter in letters:
            await letter.acknowledged()
        await settled
        event.ack()
