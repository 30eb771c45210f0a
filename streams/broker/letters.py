"""Publishing dead letters. A letter that the topic does not take whole is cut, and its headers say so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from prometheus_client import Counter

from streams.broker.publisher import Publisher, Sent
from streams.broker.refusals import RecordRefusedError
from streams.log import log
from streams.records.outgoing import Outgoing
from streams.records.rejection import Rejection, headers
from streams.records.withheld import Withheld
from streams.settings import MAX_TOPIC_BYTES

CUTS: Final = (1 << 16, 1 << 10, 0)
"""Bytes of value and key that are tried in turn for a letter that the topic does not take whole. They are enough to see
what the record was, and far below the smallest limit that a topic is likely to have."""

TRUNCATED: Final = "truncated"
"""The header of a letter that holds only a part of the record: the bytes of the record's value."""

UNKNOWN_SIZE: Final = b"-1"
"""The value of that header for a record that was never unpacked."""

Origin = tuple[str, int, int]
"""The record behind a letter: topic (its name in the contract), partition and offset."""


class LetterCounts(Protocol):
    """Counts the letters that were cut, or not taken at all."""

    dead_letters_cut: Counter
    dead_letters_refused: Counter


class Letters:
    """Sends dead letters, each in its own batch, so that the refusal of one does not affect another.

    Args:
        publisher: started.
        topic: the dead-letter topic, by its name on the broker.
        metrics: count the letters that were cut or not taken at all.
    """

    def __init__(self, publisher: Publisher, topic: str, metrics: LetterCounts | None = None) -> None:
        self._publisher = publisher
        self._topic = topic
        self._metrics = metrics

    async def post(
        self,
        origin: Origin,
        key: bytes | None,
        value: bytes | None,
        rejection: Rejection,
        partition: int,
        further: Sequence[tuple[str, bytes]] = (),
    ) -> Letter:
        """Hand the letter of a rejected record over to the producer; `Letter.acknowledged` awaits the broker.

        Args:
            origin: the record.
            key: of the record.
            value: of the record.
            rejection: why it is refused.
            partition: of the dead-letter topic.
            further: headers beside those that every letter has.
        """
        # A broker closes the connection on a request beyond its bound (100 MiB), so such a letter is not even tried.
        whole = _size(key) + _size(value) <= MAX_TOPIC_BYTES
        outgoing = Outgoing(key, value, [*headers(rejection, *origin), *further])
        if isinstance(value, Withheld):
            outgoing = Outgoing(key, b"", [*outgoing.headers, (TRUNCATED, UNKNOWN_SIZE)])
        letter = Letter(self, origin, partition, outgoing, whole)
        await letter.send()
        return letter

    async def send(self, partition: int, outgoing: Outgoing) -> Sent:
        """Hand over one letter unchanged."""
        return await self._publisher.send(self._topic, partition, [outgoing])

    def count_cut(self) -> None:
        """Count a letter that was cut for the topic."""
        if self._metrics is not None:
            self._metrics.dead_letters_cut.inc()

    def give_up(self, origin: Origin, refusal: RecordRefusedError) -> None:
        """Log and count a letter that the topic does not take in any form."""
        topic, partition, offset = origin
        log.error(
            "dead letter refused by its topic even without key and value, it is counted and not written",
            topic=topic,
            partition=partition,
            offset=offset,
            error=str(refusal),
        )
        if self._metrics is not None:
            self._metrics.dead_letters_refused.inc()


class Letter:
    """A dead letter handed over, and not yet acknowledged.

    Args:
        letters: sends the letter.
        origin: the record behind the letter.
        partition: of the dead-letter topic.
        outgoing: the whole letter.
        whole: whether the whole letter is tried.
    """

    __slots__ = ("_letters", "_origin", "_outgoing", "_partition", "_sent", "_sizes")

    _sent: Sent

    def __init__(self, letters: Letters, origin: Origin, partition: int, outgoing: Outgoing, whole: bool) -> None:
        self._letters = letters
        self._origin = origin
        self._partition = partition
        self._outgoing = outgoing
        self._sizes: list[int | None] = [None, *CUTS] if whole else [*CUTS]

    async def send(self) -> None:
        """Hand over the largest form of the letter that was not refused yet."""
        most = self._sizes[0]
        outgoing = self._outgoing if most is None else cut(self._outgoing, most)
        self._sent = await self._letters.send(self._partition, outgoing)

    async def acknowledged(self) -> None:
        """Wait until the broker holds the letter in some form, or has refused every form.

        Raises:
            KafkaError: the broker took nothing within the request timeout.
        """
        while True:
            try:
                await self._sent.acknowledged()
            except RecordRefusedError as error:
                del self._sizes[0]
                if not self._sizes:
                    self._letters.give_up(self._origin, error)
                    return
                await self.send()
            else:
                if self._sizes[0] is not None:
                    self._letters.count_cut()
                return

    async def settled(self) -> None:
        """Wait until the broker has taken or refused the form that was sent."""
        await self._sent.settled()

    @property
    def taken(self) -> int:
        """1 once the broker has acknowledged it, 0 before."""
        return self._sent.taken


def cut(letter: Outgoing, most: int) -> Outgoing:
    """Return a letter with the first `most` bytes of its value and key, and headers that say how long they were."""
    added = [(TRUNCATED, str(_size(letter.value)).encode())]
    if _size(letter.key) > most:
        added.append(("truncated_key", str(_size(letter.key)).encode()))
    key = None if letter.key is None else letter.key[:most]
    return Outgoing(key, (letter.value or b"")[:most], [*letter.headers, *added])


def _size(part: bytes | None) -> int:
    return len(part or b"")
