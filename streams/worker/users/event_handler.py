"""The handler of the inputs: events and erasures of one topic partition, decoded, read and applied in offset order.

A text is read first, without touching the state; then its event is applied in one synchronous step, and gives its
fact in the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aiokafka import ConsumerRecord

from features.observation import Observation
from models.exceptions import TextRejectedError
from streams.broker.letters import Letter
from streams.contract import CLICKS, ERASURES, REVIEWS, SEARCHES
from streams.records.decoder import Decoded
from streams.records.events import Click, Erasure, Event, Review, Search, text_of
from streams.records.items.stating import fact_of_click, fact_of_review
from streams.records.observer import NOTHING_READ, Reading
from streams.records.rejection import Reason, Rejection
from streams.telemetry.tally import Fate
from streams.worker.applying.patience import patiently
from streams.worker.users.title_lane import TitleLane
from streams.worker.users.user_partition import UserPartition
from streams.worker.users.workshop import Workshop

TEXTS_AT_ONCE: Final = 64
"""Texts read together: enough for full batches of the encoder, few enough that the first is not held up by the last."""

# Members of an enumeration are slow to look up, and these are looked up for every event.
_APPLIED: Final = Fate.APPLIED
_REDELIVERED: Final = Fate.REDELIVERED


class EventHandler:
    """Handles the records of one topic partition.

    Args:
        topic: its name in the contract.
        partition: the users of that partition.
        workshop: what to work with.

    Attributes:
        slice_records: records handled together.
    """

    def __init__(self, topic: str, partition: UserPartition, workshop: Workshop) -> None:
        self.topic = topic
        self._partition = partition
        self._shop = workshop
        self._titles = TitleLane(partition, workshop) if topic == CLICKS else None
        self.slice_records = TEXTS_AT_ONCE if topic in (REVIEWS, SEARCHES) else workshop.slice_records

    def close(self) -> None:
        """Begin to read nothing more."""
        self._shop.on_encoder(self, False)
        if self._titles is not None:
            self._titles.close()

    async def drain(self) -> None:
        """Wait, after `close`, until the titles that were taken in are published."""
        if self._titles is not None:
            await self._titles.drain()

    def stop(self) -> None:
        """Let go of everything."""
        if self._titles is not None:
            self._titles.stop()

    @property
    def paused(self) -> bool:
        """Whether clicks wait for titles, since as many wait as may."""
        return self._titles is not None and self._titles.paused

    async def room(self) -> None:
        """Wait until titles of further clicks may wait."""
        if self._titles is not None:
            await self._titles.room()

    async def handle(self, records: Sequence[ConsumerRecord]) -> list[Letter]:
        """Handle a slice; return the dead letters that it gave."""
        items = self._shop.decoder.decode_all(self.topic, records)
        self._shop.future.look(self.topic, records, items)
        readings = await self._read(items) if self.topic in (REVIEWS, SEARCHES) else {}
        letters: list[Letter] = []
        offsets: list[int] = []
        fates: list[Fate] = []
        categories: list[int | None] = []
        observe, apply = self._shop.observer.observe, self._partition.apply
        known, telling = self._shop.titles.known, self._shop.telling and self.topic in (REVIEWS, CLICKS)
        for position, (record, item) in enumerate(zip(records, items, strict=True)):
            reading: Reading | None = NOTHING_READ
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
                title = item.title if type(item) is Click else None
                if title:
                    reading = known(title)
                seen = observe(item, record.offset, reading)
                fate = apply(item.user_id, seen, self.topic, record.timestamp)
                if telling and fate is _APPLIED:
                    self._tell(item, seen, record.timestamp, reading)
                if title and seen.title_weight and (seen.title_waits or fate is _REDELIVERED):
                    self._see_to_title(item.user_id, title, seen, fate)
                fates.append(fate)
                categories.append(seen.category)
                offsets.append(record.offset)
        self._count(offsets, fates, categories)
        return letters

    def _tell(self, event: Event, seen: Observation, arrived: int, reading: Reading | None) -> None:
        """Have the item told of an event that was just applied, before anything else can happen."""
        partition = self._partition
        try:
            if type(event) is Click:
                partition.tell(fact_of_click(event, seen, arrived))
            elif type(event) is Review and reading is not None:
                state = partition.state_of(event.user_id)
                partition.tell(fact_of_review(event, seen, arrived, reading, state.oldest, state.revision))
        except Exception as error:
            # A worker that ends settles what is applied. A state that leaves without its fact says that it was sent.
            partition.not_told(error)
            raise

    def _see_to_title(self, user_id: str, title: str, seen: Observation, fate: Fate) -> None:
        """Have a title read that waits, or take it in with a click that was delivered again and still waits for it."""
        partition = self._partition
        if fate is not _APPLIED and not (fate is _REDELIVERED and partition.awaits(user_id, seen.offset)):
            return
        if not seen.title_waits:
            partition.read_title(user_id, seen.offset, seen.timestamp, seen.title_weight, seen.title)
        elif self._titles is not None:
            self._titles.wait(user_id, seen.offset, seen.timestamp, seen.title_weight, title)

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
        readings = await patiently(
            lambda: self._shop.reader.read(list(texts.values())),
            "texts",
            lambda down: self._shop.on_encoder(self, down),
            topic=self.topic,
        )
        return dict(zip(texts, readings, strict=True))
