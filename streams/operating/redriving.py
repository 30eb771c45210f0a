"""Redriving: dead letters go back to their topics unchanged, each at most once."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from aiokafka import AIOKafkaProducer, ConsumerRecord, TopicPartition

from streams.broker.connection import new_producer, reaching
from streams.broker.reading import read_topic
from streams.broker.refusals import REFUSALS
from streams.broker.throttling import Throttle
from streams.broker.topics.counts import common_partitions
from streams.broker.topics.log_ends import high_watermarks
from streams.contract import DEAD_LETTERS, INPUTS, NO_PARTITION, topic_name
from streams.operating.redrive_journal import HEADER, Entry, Journal, identity
from streams.progress import Progress
from streams.records.ndjson import partition_of
from streams.settings import Settings

UNKNOWN: Final = "?"
"""The reason or topic of a letter whose headers name none of the contract."""


class Standing(StrEnum):
    """The fate of a dead letter: what a run does, or would do, with it."""

    NOT_CHOSEN = "not_chosen"
    """The letter's reason or topic is not among those asked for."""
    TO_SEND = "to_redrive"
    SENT = "redriven"
    SENT_BEFORE = "already_redriven"
    SAME_RECORD = "same_record"
    """Another letter of the same input record stands for it."""
    NO_RECORD = "never_a_record"
    """The letter is that of a line that never was a record, or names no input topic."""
    TRUNCATED = "truncated"
    """The dead-letter topic took only a part of the record. The whole record is, or was, at its place in the input."""
    REFUSED = "refused"
    """The input topic takes no such record: for example one that was compressed when it came."""
    OVER_LIMIT = "over_limit"


def letter_name(place: tuple[int, int]) -> str:
    """Return the name of the letter at a (partition, offset) of the dead letters."""
    return f"{DEAD_LETTERS}/{place[0]}/{place[1]}"


@dataclass(slots=True)
class Letter:
    """A dead letter without its bytes.

    Attributes:
        place: (partition, offset) among the dead letters.
        record: (topic, partition, offset) of the input record, by the topic's name in the contract. The partition is -1
            for a line that never was a record; numbers that the letter does not tell are None.
        identity: the letter's identity in the journal.
        target: the partition that the letter goes back to.
        truncated: bytes of the record's value, if the letter holds only a part of the record; else None.
        again: whether the record was redriven before and failed again.
    """

    place: tuple[int, int]
    reason: str
    detail: str
    record: tuple[str, int | None, int | None]
    identity: str
    target: int
    standing: Standing = Standing.NOT_CHOSEN
    truncated: int | None = None
    again: bool = False

    @property
    def name(self) -> str:
        """The letter as the header of a redriven record names it."""
        return letter_name(self.place)

    def as_dict(self) -> dict[str, Any]:
        """Return the letter in the form of JSON: its place, without any text of a user."""
        topic, partition, offset = self.record
        return {
            "letter": self.name,
            "reason": self.reason,
            "detail": self.detail,
            "topic": topic,
            "partition": partition,
            "offset": offset,
            "standing": self.standing.value,
            "truncated": self.truncated,
            "failed_again": self.again,
        }


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which letters to redrive.

    Attributes:
        reasons, topics: the reasons and topics wanted; empty for all.
        limit: the largest number of letters, the oldest of each partition first; None for all.
    """

    reasons: Collection[str] = ()
    topics: Collection[str] = ()
    limit: int | None = None

    def takes(self, letter: Letter) -> bool:
        """Tell whether the letter's reason and topic are asked for."""
        reason = not self.reasons or letter.reason in self.reasons
        return reason and (not self.topics or letter.record[0] in self.topics)


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
        self.letters: list[Letter] = []

    async def survey(self, choice: Choice) -> None:
        """Read the dead letters up to their end and decide on each, without sending any.

        Raises:
            BrokerError: the broker or a topic cannot be used.
        """
        settings = self._settings
        names = [topic_name(settings, topic) for topic in (*INPUTS, DEAD_LETTERS)]
        partitions = await common_partitions(settings, names)
        self._journal = await Journal.read(settings)
        letters: list[Letter] = []
        async for records in read_topic(settings, names[-1]):
            letters += [read_letter(record, partitions) for record in records]
            self._progress("letters read", len(letters), None)
        # By partition, so that a user's events go back in the order in which they came.
        self.letters = sorted(letters, key=lambda letter: letter.place)
        arrived = {(entry.topic, entry.partition, entry.offset) for entry in self._journal.entries.values()}
        for letter in self.letters:
            letter.again = letter.record in arrived
        _decide([letter for letter in self.letters if choice.takes(letter)], self._journal.entries.keys(), choice.limit)

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
        ends = await high_watermarks(settings, {self._target(letter) for letter in chosen.values()})
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
                            await self._send(producer, batch, ends)
                            sent += len(batch)
                            self._progress("letters sent back", sent, len(chosen))
            finally:
                await producer.stop()

    async def _send(
        self,
        producer: AIOKafkaProducer,
        batch: Sequence[tuple[Letter, ConsumerRecord]],
        ends: dict[TopicPartition, int],
    ) -> None:
        intended = {
            letter.identity: Entry(letter.name, letter.record[0], letter.target, ends[self._target(letter)])
            for letter, _ in batch
        }
        await self._journal.write(producer, intended)
        sent: list[asyncio.Future[Any]] = []
        for letter, record in batch:
            target = self._target(letter)
            headers = [(HEADER, letter.name.encode())]
            sent.append(
                await producer.send(
                    target.topic, record.value, key=record.key, partition=target.partition, headers=headers
                )
            )
        arrived = {}
        for (letter, _), answer in zip(batch, await asyncio.gather(*sent, return_exceptions=True), strict=True):
            if isinstance(answer, REFUSALS):
                letter.standing = Standing.REFUSED
            elif isinstance(answer, BaseException):
                raise answer
            else:
                arrived[letter.identity] = intended[letter.identity].arrived(answer.offset)
                letter.standing = Standing.SENT
        await self._journal.write(producer, arrived)

    def _target(self, letter: Letter) -> TopicPartition:
        return TopicPartition(topic_name(self._settings, letter.record[0]), letter.target)


def read_letter(record: ConsumerRecord, partitions: int) -> Letter:
    """Return the letter in a record of the dead-letter topic; every topic has `partitions` partitions."""
    why = {name: str(value, errors="replace") for name, value in record.headers}
    # A rejected line may have named any topic, so the name counts as text of a user.
    topic = why["topic"] if why.get("topic") in INPUTS else UNKNOWN
    partition, offset = _number(why.get("partition")), _number(why.get("offset"))
    place = (DEAD_LETTERS, record.partition, record.offset)
    told = partition is not None and offset is not None
    return Letter(
        place=place[1:],
        reason=why.get("reason", UNKNOWN),
        detail=why.get("detail", ""),
        record=(topic, partition, offset),
        identity=identity((topic, partition, offset) if told else place, record.value),
        target=partition
        if partition is not None and 0 <= partition < partitions
        else partition_of(record.key, partitions, record.offset),
        truncated=_number(why["truncated"]) or 0 if "truncated" in why else None,
    )


def _number(text: str | None) -> int | None:
    digits = (text or "").removeprefix("-")
    # No offset of Kafka has more digits.
    return int(text or "") if digits.isascii() and digits.isdecimal() and len(digits) < 20 else None


def _decide(chosen: Iterable[Letter], arrived: Collection[str], limit: int | None) -> None:
    seen: set[str] = set()
    for letter in chosen:
        if letter.record[1] == NO_PARTITION or letter.record[0] == UNKNOWN:
            letter.standing = Standing.NO_RECORD
        elif letter.truncated is not None:
            letter.standing = Standing.TRUNCATED
        elif letter.identity in arrived:
            letter.standing = Standing.SENT_BEFORE
        elif letter.identity in seen:
            letter.standing = Standing.SAME_RECORD
        elif limit is not None and len(seen) >= limit:
            letter.standing = Standing.OVER_LIMIT
        else:
            letter.standing = Standing.TO_SEND
            seen.add(letter.identity)
