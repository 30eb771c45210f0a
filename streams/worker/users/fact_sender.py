"""Sending facts: those of all partitions whose groups leave together, collated by the partition of the item.

Each item remembers the greatest place that it has applied of every source partition. A fact that arrived behind a later
one of its source partition would be taken for a repetition, and be lost. So facts of a source partition leave in the
order of their places, none before those before it are acknowledged, and none after a failure.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from features.items.fact import Fact
from streams.broker.publisher import Publisher
from streams.records.items.facts import FactBatch, encode
from streams.records.outgoing import Outgoing
from streams.records.placement import partition_of_key

REQUEST_BYTES: Final = 1 << 19
"""Bytes of facts sent together to one partition, about. Well below a batch of the producer: of two batches, the second
could be taken though the first is not."""

KNOWN_PLACES: Final = 1 << 16
"""Items whose partition is remembered: finding one takes longer than anything else that is done with a fact."""


class FactSender:
    """Sends facts under one assignment.

    Args:
        topic: name of the facts topic on the broker.
        partitions: how many the topic has.
        head: identity of the polarity head that reads reviews; empty without one.
        publisher: of the assignment.
        on_sent: told (source partition, partition of the items, facts) of those that are acknowledged.
    """

    def __init__(
        self,
        topic: str,
        partitions: int,
        head: str,
        publisher: Publisher,
        on_sent: Callable[[int, int, Sequence[Fact]], None],
    ) -> None:
        self._topic = topic
        self._partitions = partitions
        self._head = head
        self._publisher = publisher
        self._on_sent = on_sent
        self._places: dict[str, int] = {}
        self._gathered: list[tuple[int, Sequence[Fact]]] = []
        self._delivery: asyncio.Task[None] | None = None
        self._failed: BaseException | None = None

    async def send(self, partition: int, facts: Sequence[Fact]) -> None:
        """Return once the broker has acknowledged the facts of a source partition.

        The caller waits for that before it comes again.

        Args:
            partition: of the events.
            facts: those of one topic in the order of their offsets.

        Raises:
            LeaseLostError: the partition may be somebody else's.
            KafkaError: the broker has not taken all facts in time.
            RecordRefusedError: the topic will never take one of them.
        """
        self._gathered.append((partition, facts))
        if self._delivery is None:
            # It begins in the next turn of the event loop: by then all partitions of this round have come.
            self._delivery = asyncio.create_task(self._deliver(), name="facts")
            self._delivery.add_done_callback(_heard)
        # Others wait for the same, though this one may be told to stop.
        await asyncio.shield(self._delivery)

    async def _deliver(self) -> None:
        gathered, self._gathered, self._delivery = self._gathered, [], None
        by_place: defaultdict[int, list[FactBatch]] = defaultdict(list)
        for source, facts in gathered:
            for place, some in self._by_place(facts).items():
                by_place[place].append(FactBatch(source, self._head, some))
        sending = (self._send(place, batches) for place, batches in by_place.items())
        # All of them to their end: nothing is left behind that would send after this has failed.
        await asyncio.gather(*sending, return_exceptions=True)
        if self._failed is not None:
            raise self._failed

    def _by_place(self, facts: Sequence[Fact]) -> dict[int, list[Fact]]:
        places = self._places
        if len(places) > KNOWN_PLACES:
            places.clear()
        found: defaultdict[int, list[Fact]] = defaultdict(list)
        for fact in facts:
            item_id = fact.item_id
            place = places.get(item_id)
            if place is None:
                place = places[item_id] = partition_of_key(item_id.encode(), self._partitions)
            found[place].append(fact)
        return found

    async def _send(self, place: int, batches: Sequence[FactBatch]) -> None:
        """Send to one partition, one request after another."""
        try:
            for request in _requests(batches):
                if self._failed is not None:
                    return
                records = [Outgoing(None, value) for _, value in request]
                await (await self._publisher.send(self._topic, place, records)).acknowledged()
                for batch, _ in request:
                    self._on_sent(batch.source_partition, place, batch.facts)
        except BaseException as error:
            # First of all: whatever comes next of these source partitions must not leave, nor any state that holds
            # their events. Whoever gathers the sends looks at nothing else.
            self._failed = self._failed or error
            raise


def _heard(delivery: asyncio.Task[None]) -> None:
    """Nobody may be left to hear of a failure."""
    if not delivery.cancelled():
        delivery.exception()


def _requests(batches: Sequence[FactBatch]) -> Iterator[list[tuple[FactBatch, bytes]]]:
    """Yield batches with their bytes, as many as may be sent together."""
    request: list[tuple[FactBatch, bytes]] = []
    size = 0
    for batch in batches:
        for part, value in _records(batch):
            if request and size + len(value) > REQUEST_BYTES:
                yield request
                request, size = [], 0
            request.append((part, value))
            size += len(value)
    if request:
        yield request


def _records(batch: FactBatch) -> Iterator[tuple[FactBatch, bytes]]:
    """Yield a batch with its bytes, in parts if it is too large for one request."""
    value = encode(batch)
    facts = batch.facts
    if len(value) <= REQUEST_BYTES or len(facts) == 1:
        yield batch, value
    else:
        middle = len(facts) // 2
        yield from _records(FactBatch(batch.source_partition, batch.head, facts[:middle]))
        yield from _records(FactBatch(batch.source_partition, batch.head, facts[middle:]))
