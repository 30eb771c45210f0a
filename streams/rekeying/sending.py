"""Sending what became of a batch of a source: events to the inputs, then a dead letter for each record refused."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from aiokafka import ConsumerRecord

from streams.broker.letters import Letter, Letters
from streams.broker.publisher import Publisher, Sent
from streams.broker.refusals import REFUSALS, refused
from streams.contract import topic_name
from streams.records.ndjson import Record, partition_of
from streams.records.outgoing import Outgoing
from streams.records.rejection import Reason, Rejection
from streams.rekeying.letters import marks
from streams.rekeying.translating import Translation
from streams.settings import Settings
from streams.telemetry.rekey_metrics import LEFT_OUT, REFUSED, TAKEN, RekeyMetrics

_TOO_LARGE: Final = Rejection(Reason.TOO_LARGE, "event: expected one that its topic takes, found a larger one")


@dataclass(frozen=True)
class Outlets:
    """Where events and letters go.

    Attributes:
        settings: with the number of partitions of the inputs filled in.
        publisher: started.
        letters: send by the same publisher.
        metrics: count what was acknowledged.
        on_acknowledged: told that an offset of a source may be committed.
    """

    settings: Settings
    publisher: Publisher
    letters: Letters
    metrics: RekeyMetrics
    on_acknowledged: Callable[[], None]


class Batch(NamedTuple):
    """A batch of one partition of a source: Faust's event for it, its records, and what became of each."""

    event: Any
    records: Sequence[ConsumerRecord]
    translations: Sequence[Translation]


class Sending:
    """A batch on its way.

    Args:
        outlets: where it goes.
        batch: of one partition.
    """

    def __init__(self, outlets: Outlets, batch: Batch) -> None:
        self._outlets = outlets
        self._batch = batch
        self._sent: list[tuple[str, Sent, Sequence[tuple[int, Record]]]] = []

    async def begin(self) -> None:
        """Hand the events over to the producer, those of a partition in the order in which they came.

        Raises:
            LeaseLostError: the source's partition may be another process's.
            KafkaError: the broker takes nothing.
        """
        settings = self._outlets.settings
        groups: defaultdict[tuple[str, int], list[tuple[int, Record]]] = defaultdict(list)
        for number, translation in enumerate(self._batch.translations):
            for event in translation.events:
                groups[event.topic, partition_of(event.key, settings.partitions, 0)].append((number, event))
        for (topic, partition), events in groups.items():
            outgoing = [Outgoing(event.key, event.value) for _, event in events]
            sent = await self._outlets.publisher.send(topic_name(settings, topic), partition, outgoing)
            self._sent.append((topic, sent, events))

    async def finish(self) -> None:
        """Wait until the broker has everything, letters included; then the source's offset may be committed.

        Raises:
            LeaseLostError: the source's partition may be another process's.
            RecordRefusedError: a topic does not take batches of the size that they have.
            KafkaError: the broker did not take a record in time.
        """
        # All of them, so that no answer goes unread if one is an error.
        await asyncio.gather(*(sent.settled() for _, sent, _ in self._sent))
        for topic, sent, events in self._sent:
            taken = len(events)
            for number, event in _refused(sent, events):
                self._refuse(number, event)
                taken -= 1
            self._outlets.metrics.events.labels(topic).inc(taken)
        letters = [
            await self._post(record, translation)
            for record, translation in zip(self._batch.records, self._batch.translations, strict=True)
            if translation.rejection is not None
        ]
        for letter in letters:
            await letter.acknowledged()
        self._count()
        self._batch.event.ack()
        self._outlets.on_acknowledged()

    def _refuse(self, number: int, event: Record) -> None:
        """Take note that the input takes no such event, so that its record goes to the dead letters."""
        translation = self._batch.translations[number]
        translation.events.remove(event)
        translation.rejection = translation.rejection or _TOO_LARGE

    async def _post(self, record: ConsumerRecord, translation: Translation) -> Letter:
        settings, rejection = self._outlets.settings, translation.rejection
        assert rejection is not None
        origin = record.topic, record.partition, record.offset
        partition = record.partition % settings.partitions
        further = marks(settings.rekey_format, translation.events)
        return await self._outlets.letters.post(origin, record.key, record.value, rejection, partition, further)

    def _count(self) -> None:
        metrics, source = self._outlets.metrics, self._batch.records[0].topic
        outcomes: Counter[str] = Counter()
        for translation in self._batch.translations:
            if translation.rejection is not None:
                outcomes[REFUSED] += 1
                metrics.dead_letters.labels(translation.rejection.reason.value).inc()
            elif translation.events:
                outcomes[TAKEN] += 1
            else:
                outcomes[LEFT_OUT] += 1
                metrics.left_out.labels(translation.left_out).inc()
        for outcome, count in outcomes.items():
            metrics.records.labels(source, outcome).inc(count)


def _refused(sent: Sent, events: Sequence[tuple[int, Record]]) -> Iterator[tuple[int, Record]]:
    """Yield the events that a topic will never take, of a send that is settled.

    Raises:
        RecordRefusedError: several records were refused together, so that none of them may be to blame.
        KafkaError: the broker did not take a record.
    """
    first = 0
    for batch in sent.batches:
        error = batch.done.exception()
        if isinstance(error, REFUSALS) and batch.records == 1:
            yield events[first]
        elif isinstance(error, REFUSALS):
            raise refused(sent.topic, sent.partition, batch.records, batch.size, error) from error
        elif error is not None:
            raise error
        first += batch.records
