"""What a dead letter is sent back as: itself, or the events of a record of a shop's own topic, translated again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from aiokafka import ConsumerRecord

from streams.encodings.encoding import Encoding
from streams.encodings.reading import open_values
from streams.operating.redriving.letters import Letter, Standing
from streams.records.ndjson import partition_of
from streams.rekeying.letters import mark_of
from streams.rekeying.translating import Sourced, Translation, Translator
from streams.settings import Settings

Place = tuple[int, int]
"""(partition, offset) of a letter among the dead letters."""

_Asked = Sequence[tuple[Letter, ConsumerRecord]]


class Part(NamedTuple):
    """A record that a letter is sent back as.

    Attributes:
        letter: the place of the letter.
        name: what the header of the record says, and no header of another record does.
        identity: in the journal.
        topic: the input, by its name in the contract.
        partition: of that input.
    """

    letter: Place
    name: str
    identity: str
    topic: str
    partition: int
    key: bytes | None
    value: bytes | None


class Returning:
    """Finds out what letters are sent back as.

    Args:
        settings: of now, by which records of the shop's own topics are translated.
        partitions: of every input.
    """

    def __init__(self, settings: Settings, partitions: int) -> None:
        self._partitions = partitions
        self._values = open_values(settings, Encoding(settings.rekey_encoding))
        self._translator = Translator(settings)

    async def judge(self, asked: _Asked) -> None:
        """Say of letters of the shop's own topics whether they can be sent back."""
        ours = [(letter, record) for letter, record in asked if _is_whole(letter)]
        for (letter, _), translation in zip(ours, await self._translate(ours), strict=True):
            if translation.rejection is not None:
                letter.unfit = Standing.STILL_REFUSED
            elif not translation.events:
                letter.unfit = Standing.LEFT_OUT

    async def parts(self, asked: _Asked) -> dict[Place, list[Part]]:
        """Return what each letter is sent back as, without events that were sent when their record was refused."""
        parts = {letter.place: [_itself(letter, record)] for letter, record in asked if letter.sent_before is None}
        ours = [(letter, record) for letter, record in asked if _is_whole(letter)]
        for (letter, _), translation in zip(ours, await self._translate(ours), strict=True):
            parts[letter.place] = list(self._events(letter, translation))
        return parts

    def _events(self, letter: Letter, translation: Translation) -> list[Part]:
        found: list[Part] = []
        for event in translation.events:
            mark = mark_of(event)
            if mark not in (letter.sent_before or ()):
                name = f"{letter.name}#{mark}"
                partition = partition_of(event.key, self._partitions, 0)
                identity = f"{letter.identity}#{mark}"
                found.append(Part(letter.place, name, identity, event.topic, partition, event.key, event.value))
        return found

    async def _translate(self, asked: _Asked) -> list[Translation]:
        if not asked:
            return []
        values = await self._values.read([record.value for _, record in asked])
        sourced = [
            Sourced(letter.record[0], letter.record[1] or 0, letter.record[2] or 0, value)
            for (letter, _), value in zip(asked, values, strict=True)
        ]
        return self._translator.translate(sourced, int(time.time() * 1000))


def _is_whole(letter: Letter) -> bool:
    """Tell whether a letter holds a whole record of one of the shop's own topics."""
    return letter.sent_before is not None and letter.truncated is None


def _itself(letter: Letter, record: ConsumerRecord) -> Part:
    topic = letter.record[0]
    return Part(letter.place, letter.name, letter.identity, topic, letter.target, record.key, record.value)
