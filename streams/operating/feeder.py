"""Publishing records of files to the input topics in batches, no further ahead of the flow than a bound allows."""

from __future__ import annotations

import asyncio
from array import array
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Final

from streams.broker.connection import reaching
from streams.broker.errors.explaining import WRITE
from streams.broker.letters import Letter, Letters
from streams.broker.publisher import Publisher, Sent
from streams.contract import DEAD_LETTERS, ERASURES, NO_PARTITION, topic_name
from streams.exceptions import BrokerError
from streams.operating.origins import Origins, packed
from streams.records.ndjson import Record, RejectedLine, partition_of
from streams.records.outgoing import Outgoing
from streams.settings import Settings
from streams.sources.arrived import Arrived
from streams.sources.places import Places

CHUNK_LINES: Final = 500
CHUNK_BYTES: Final = 4 << 20

Ends = dict[tuple[str, int], int]
"""The offset after the last published record, by topic (its name in the contract) and partition."""


class Feeder:
    """Publishes lines.

    Args:
        settings: of the cluster.
        publisher: started.
        before_chunk: awaited with the ends before each chunk of lines; it holds the feeder back.
        barrier: awaited with the ends before and after an erasure, so that the order of lines decides which events an
            erasure removes. Without a barrier, erasures are published like other lines.
        places: number the files; None if the origins of records are of no use.

    Attributes:
        origins: the lines of the published records, as `places` numbers them; empty without.
        ends: the ends of the published records.
        published: number of lines of any kind that the broker has acknowledged.
        reached: the number of the last line up to which all lines are acknowledged.
        events: number of lines read, without erasures.
        erasures: number of erasures read.
        rejected: number of lines that were no records.
    """

    def __init__(
        self,
        settings: Settings,
        publisher: Publisher,
        *,
        before_chunk: Callable[[Ends], Awaitable[None]] | None = None,
        barrier: Callable[[Ends], Awaitable[None]] | None = None,
        places: Places | None = None,
    ) -> None:
        self._settings = settings
        self._publisher = publisher
        self._before_chunk = before_chunk
        self._barrier = barrier
        self._places = places
        self._chunk: defaultdict[tuple[str, int], list[Outgoing]] = defaultdict(list)
        self._positions: defaultdict[tuple[str, int], array[int]] = defaultdict(lambda: array("Q"))
        self._lines = 0
        self._bytes = 0
        self._last = 0
        self._rejected: list[tuple[int, RejectedLine]] = []
        self._letters = Letters(publisher, topic_name(settings, DEAD_LETTERS))
        self.origins = Origins()
        self.ends: Ends = {}
        self.published = 0
        self.reached = 0
        self.events = 0
        self.erasures = 0
        self.rejected = 0

    async def feed(self, arrivals: Iterable[Arrived]) -> None:
        """Publish the records of numbered lines and wait for the broker's acknowledgements.

        Raises:
            BrokerError: a line could not be published; `published` and `reached` tell which lines were.
        """
        self._last = self.reached = 0
        for arrived in arrivals:
            record = arrived.record
            # The records of a line stay together: up to which line all are acknowledged is told in whole lines.
            if arrived.line != self._last and (self._lines >= CHUNK_LINES or self._bytes >= CHUNK_BYTES):
                await self.flush()
            if isinstance(record, RejectedLine):
                self._reject(arrived, record)
            elif record.topic == ERASURES and self._barrier is not None:
                await self.flush()
                await self._barrier(self.ends)
                self._add(arrived, record)
                await self.flush()
                await self._barrier(self.ends)
            else:
                self._add(arrived, record)
        await self.flush()

    async def flush(self) -> None:
        """Publish the gathered records."""
        if self._before_chunk is not None:
            await self._before_chunk(self.ends)
        chunk, self._chunk = self._chunk, defaultdict(list)
        positions, self._positions = self._positions, defaultdict(lambda: array("Q"))
        rejected, self._rejected = self._rejected, []
        posted: list[Letter] = []
        self._lines = self._bytes = 0
        sent: dict[tuple[str, int], Sent] = {}
        try:
            for key, records in chunk.items():
                async with self._writing(key[0]):
                    sent[key] = await self._publisher.send(topic_name(self._settings, key[0]), key[1], records)
            async with self._writing(DEAD_LETTERS):
                for number, line in rejected:
                    posted.append(await self._post(number, line))
            for key, batch in sent.items():
                async with self._writing(key[0]):
                    written = await batch.acknowledged()
                self.ends[key] = written.last + 1
                if self._places is not None:
                    self.origins.note(*key, written, positions[key])
            async with self._writing(DEAD_LETTERS):
                await asyncio.gather(*(letter.acknowledged() for letter in posted))
            self.reached = self._last
        except BrokerError:
            # The other batches are on their way, and may still be taken.
            await asyncio.gather(
                *(batch.settled() for batch in sent.values()), *(letter.settled() for letter in posted)
            )
            raise
        finally:
            self.published += sum(batch.taken for batch in sent.values()) + sum(letter.taken for letter in posted)

    def _writing(self, topic: str) -> AbstractAsyncContextManager[None]:
        return reaching(self._settings, WRITE, topic_name(self._settings, topic))

    def _add(self, arrived: Arrived, record: Record) -> None:
        if record.topic == ERASURES:
            self.erasures += 1
        else:
            self.events += 1
        key = record.topic, partition_of(record.key, self._settings.partitions, arrived.line)
        self._chunk[key].append(Outgoing(record.key, record.value))
        if self._places is not None:
            self._positions[key].append(packed(self._places.position(arrived)))
        self._last = arrived.line
        self._lines += 1
        self._bytes += len(record.value)

    def _reject(self, arrived: Arrived, line: RejectedLine) -> None:
        self._last = arrived.line
        self.events += 1
        self.rejected += 1
        self._lines += 1
        self._bytes += len(line.raw)
        self._rejected.append((arrived.line, line))
        if self._places is not None:
            self.origins.note_rejected(self._partition(arrived.line), self._places.position(arrived))

    async def _post(self, number: int, line: RejectedLine) -> Letter:
        origin = (line.topic, NO_PARTITION, number)
        return await self._letters.post(origin, None, line.raw, line.rejection, self._partition(number))

    def _partition(self, number: int) -> int:
        """Return the partition of the dead letters to which the letter of a line goes."""
        return number % self._settings.partitions
