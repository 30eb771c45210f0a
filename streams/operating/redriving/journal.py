"""The journal of dead letters that were sent back: a compacted topic, so that a second run sends no letter again.

Event ids are not enough, because only a user's last 128 of a topic are remembered, and an erasure has no id. The
committed offset of a group is not enough either: letters are chosen by reason, so the letters that were sent lie apart.

An entry is written twice: before the letter is sent, with the end of the log that it goes to, and after the broker has
acknowledged it, with its offset. A run that died in between leaves the first entry. The next run then looks behind that
end for the letter, by the header that every redriven record carries.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaProducer, ConsumerRecord, TopicPartition

from streams.broker.reading import read_from, read_topic
from streams.broker.topics.admin import Admin, Made
from streams.broker.topics.counts import partition_counts
from streams.broker.topics.planning import JOURNAL_SETTINGS
from streams.contract import journal_name, topic_name
from streams.settings import Settings

HEADER: Final = "redriven-from"
"""The header of a redriven record that names its dead letter, as `topic/partition/offset`."""


class Entry(msgspec.Struct, frozen=True):
    """A letter that was sent back, or was about to be.

    Attributes:
        letter: the dead letter, as the header names it.
        topic: the topic it went to, by its name in the contract.
        partition: of that topic.
        end: the end of that partition before the letter was sent.
        offset: the offset at which it arrived; None while that is not known.
    """

    letter: str
    topic: str
    partition: int
    end: int
    offset: int | None = None

    def arrived(self, offset: int) -> Entry:
        """Return the entry with the offset at which the letter arrived."""
        return Entry(self.letter, self.topic, self.partition, self.end, offset)


def identity(record: tuple[object, object, object], value: bytes | None) -> str:
    """Return the identity of a letter: (topic, partition, offset) of the input record, and 64 bits of its digest.

    Two letters of one record, which a killed worker may leave, have one identity. A record of a topic that was made
    anew has another identity than the record that had its offset before.
    """
    topic, partition, offset = record
    return f"{topic}/{partition}/{offset}/{blake2b(value or b'', digest_size=8).hexdigest()}"


class Journal:
    """The entries, by the letters' identities.

    Attributes:
        entries: letters known to have arrived.
        found: entries among them whose arrival an interrupted run did not write down.
    """

    def __init__(self, settings: Settings, entries: Mapping[str, Entry]) -> None:
        self._settings = settings
        self._name = journal_name(settings)
        self.entries = {key: entry for key, entry in entries.items() if entry.offset is not None}
        self.found: dict[str, Entry] = {}

    @classmethod
    async def read(cls, settings: Settings) -> Journal:
        """Read the journal, which is empty while its topic does not exist.

        Raises:
            BrokerError: the broker cannot be reached or does not answer.
        """
        entries: dict[str, Entry] = {}
        name = journal_name(settings)
        if name in await partition_counts(settings, [name]):
            async for records in read_topic(settings, name):
                entries |= {record.key.decode(): msgspec.json.decode(record.value, type=Entry) for record in records}
        journal = cls(settings, entries)
        await journal._look_for({key: entry for key, entry in entries.items() if entry.offset is None})
        return journal

    async def _look_for(self, unsure: Mapping[str, Entry]) -> None:
        keys = {entry.letter: key for key, entry in unsure.items()}
        starts: dict[TopicPartition, int] = {}
        for entry in unsure.values():
            target = TopicPartition(topic_name(self._settings, entry.topic), entry.partition)
            starts[target] = min(entry.end, starts.get(target, entry.end))
        async for records in read_from(self._settings, starts):
            for record in records:
                key = keys.get(origin(record) or "")
                if key is not None:
                    self.found[key] = unsure[key].arrived(record.offset)
        self.entries |= self.found

    async def prepare(self) -> None:
        """Make the topic if it is missing.

        Raises:
            BrokerError: the broker cannot be reached, or does not make the topic.
        """
        topic = Made(self._name, 1, self._settings.replication, JOURNAL_SETTINGS)
        async with Admin(self._settings) as admin:
            if self._name not in await admin.topics([self._name]):
                await admin.create([topic])
            await admin.led([self._name])

    async def write(self, producer: AIOKafkaProducer, entries: Mapping[str, Entry]) -> None:
        """Write entries and wait for the broker's acknowledgements."""
        sent: list[asyncio.Future[Any]] = []
        for key, entry in entries.items():
            sent.append(await producer.send(self._name, msgspec.json.encode(entry), key=key.encode(), partition=0))
        await asyncio.gather(*sent)


def origin(record: ConsumerRecord) -> str | None:
    """Return the dead letter behind an input record, if the record was redriven."""
    for name, value in record.headers:
        if name == HEADER:
            return str(value, errors="replace")
    return None
