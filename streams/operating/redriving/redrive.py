"""Redriving: dead letters go back to their topics unchanged, each at most once.

The letter of a record of a shop's own topic does not go back there, where others read: it is translated again, by the
settings of now, and its events go to the inputs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition

from streams.broker.connection import new_producer, reaching
from streams.broker.reading import read_topic
from streams.broker.refusals import REFUSALS
from streams.broker.throttling import Throttle
from streams.broker.topics.counts import common_partitions
from streams.broker.topics.log_ends import high_watermarks
from streams.contract import DEAD_LETTERS, INPUTS, topic_name
from streams.operating.redriving.journal import HEADER, Entry, Journal
from streams.operating.redriving.letters import Choice, Letter, Standing, decide, read_letter
from streams.operating.redriving.returning import Part, Place, Returning
from streams.progress import Progress
from streams.settings import Settings


class Redrive:
    """Surveys the dead letters once, and sends them back.

    Args:
        settings: of the cluster.
        progress: told how many letters are read, and how many of those chosen are sent back; None for nobody.

    Attributes:
        letters: all of them, in the order of their places, after `survey`.
    """

    def __init__(self, settings: Settings, progress: Progress | None = None) -> None:
        self._settings = settings
        self._progress = progress or (lambda _what, _done, _of: None)
        self._journal: Journal
        self._partitions: int
        self._returning: Returning
        self.letters: list[Letter] = []

    async def survey(self, choice: Choice) -> None:
        """Read the dead letters up to their end and decide on each, without sending any.

        Raises:
            BrokerError: the broker or a topic cannot be used.
        """
        settings = self._settings
        names = [topic_name(settings, topic) for topic in (*INPUTS, DEAD_LETTERS)]
        partitions = await common_partitions(settings, names)
        self._partitions, self._returning = partitions, Returning(settings, partitions)
        self._journal = await Journal.read(settings)
        letters: list[Letter] = []
        async for records in read_topic(settings, names[-1]):
            read = [read_letter(record, partitions) for record in records]
            asked = [(letter, record) for letter, record in zip(read, records, strict=True) if choice.takes(letter)]
            await self._returning.judge(asked)
            letters += read
            self._progress("letters read", len(letters), None)
        # By partition, so that a user's events go back in the order in which they came.
        self.letters = sorted(letters, key=lambda letter: letter.place)
        arrived = {(entry.topic, entry.partition, entry.offset) for entry in self._journal.entries.values()}
        for letter in self.letters:
            letter.again = letter.sent_before is None and letter.record in arrived
        decide([letter for letter in self.letters if choice.takes(letter)], self._journal.entries.keys(), choice.limit)

    async def send(self) -> None:
        """Send the letters that `survey` has chosen, and write them into the journal.

        Raises:
            BrokerError: the broker cannot be used; a further run goes on where this one ended.
        """
        settings, journal = self._settings, self._journal
        chosen = {letter.place: letter for letter in self.letters if letter.standing is Standing.TO_SEND}
        if not chosen and not journal.found:
            return
        await journal.prepare()
        ends = await high_watermarks(settings, self._targets(chosen.values()))
        sent = 0
        producer = new_producer(settings)
        Throttle().hold_producer(producer)
        async with reaching(settings):
            await producer.start()
            try:
                await journal.write(producer, journal.found)
                async with aclosing(read_topic(settings, topic_name(settings, DEAD_LETTERS))) as batches:
                    async for records in batches:
                        placed = [(chosen.get((record.partition, record.offset)), record) for record in records]
                        batch = [(letter, record) for letter, record in placed if letter is not None]
                        if batch:
                            await self._send(producer, await self._returning.parts(batch), ends)
                            sent += len(batch)
                            self._progress("letters sent back", sent, len(chosen))
            finally:
                await producer.stop()

    async def _send(
        self, producer: AIOKafkaProducer, batch: Mapping[Place, Sequence[Part]], ends: dict[TopicPartition, int]
    ) -> None:
        """Send the parts of letters that have not arrived yet; a letter is done once all of its parts have."""
        of_letter = {letter.place: letter for letter in self.letters if letter.place in batch}
        arrived = self._journal.entries
        parts = [part for parts in batch.values() for part in parts if part.identity not in arrived]
        intended = {
            part.identity: Entry(part.name, part.topic, part.partition, ends[self._place(part.topic, part.partition)])
            for part in parts
        }
        await self._journal.write(producer, intended)
        sent: list[asyncio.Future[Any]] = []
        for part in parts:
            target = self._place(part.topic, part.partition)
            headers = [(HEADER, part.name.encode())]
            sent.append(
                await producer.send(target.topic, part.value, key=part.key, partition=target.partition, headers=headers)
            )
        refused: set[Place] = set()
        for part, answer in zip(parts, await asyncio.gather(*sent, return_exceptions=True), strict=True):
            if isinstance(answer, REFUSALS):
                refused.add(part.letter)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                arrived[part.identity] = intended[part.identity].arrived(answer.offset)
        done: dict[str, Entry] = {}
        for place, of_one in batch.items():
            letter = of_letter[place]
            letter.standing = Standing.REFUSED if place in refused else Standing.SENT
            done |= {
                part.identity: arrived[part.identity]
                for part in of_one
                if part.identity in intended and part.identity in arrived
            }
            if place not in refused:
                done[letter.identity] = arrived[of_one[-1].identity] if of_one else Entry(letter.name, "", 0, 0, 0)
        await self._journal.write(producer, done)

    def _targets(self, letters: Iterable[Letter]) -> set[TopicPartition]:
        """Return the partitions that letters may go to: for those of the shop's own topics, every one."""
        targets: set[TopicPartition] = set()
        for letter in letters:
            topics = INPUTS if letter.sent_before is not None else (letter.record[0],)
            numbers = range(self._partitions) if letter.sent_before is not None else (letter.target,)
            targets |= {self._place(topic, number) for topic in topics for number in numbers}
        return targets

    def _place(self, topic: str, partition: int) -> TopicPartition:
        return TopicPartition(topic_name(self._settings, topic), partition)
