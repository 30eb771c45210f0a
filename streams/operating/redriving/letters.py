"""Dead letters as `redrive` sees them: what each stands for, and whether it is to be sent back."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from aiokafka import ConsumerRecord

from streams.contract import DEAD_LETTERS, FACTS, INPUTS, NO_PARTITION
from streams.operating.redriving.journal import identity
from streams.records.ndjson import partition_of
from streams.rekeying.letters import REKEYED, marked

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
    INTERNAL = "internal"
    """A message from one stage to the other that is refused, in part or whole: no shop can mend it, and its items would
    take it for a repetition."""
    TRUNCATED = "truncated"
    """The dead-letter topic took only a part of the record. The whole record is, or was, at its place in the input."""
    STILL_REFUSED = "still_refused"
    """A record of the shop's own topic that is refused by the settings of now as well, in whole or in part."""
    LEFT_OUT = "left_out"
    """A record of the shop's own topic of which no event is made any more."""
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
        record: (topic, partition, offset) of the input record, by the topic's name in the contract, or of the record
            of a shop's own topic, by its name on the broker. The partition is -1 for a line that never was a record;
            numbers that the letter does not tell are None.
        identity: the letter's identity in the journal.
        target: the partition that the letter goes back to; of no meaning for one of the shop's own topics.
        truncated: bytes of the record's value, if the letter holds only a part of the record; else None.
        again: whether the record was redriven before and failed again.
        sent_before: of a record of a shop's own topic, the marks of its events that were sent when it was refused;
            None of a record of an input.
        unfit: why such a record cannot be redriven by the settings of now; None if it can.
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
    sent_before: frozenset[str] | None = None
    unfit: Standing | None = None

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


def read_letter(record: ConsumerRecord, partitions: int) -> Letter:
    """Return the letter in a record of the dead-letter topic; every topic has `partitions` partitions."""
    why = {name: str(value, errors="replace") for name, value in record.headers}
    sent_before = marked(record.headers)
    # A rejected line may have named any topic, so the name counts as text of a user.
    topic = why["topic"] if why.get("topic") in (*INPUTS, FACTS) else UNKNOWN
    known = topic
    if sent_before is not None:
        # A shop may call its topic by the name of an input, whose records are others.
        topic = why.get("topic", UNKNOWN)
        known = f"{REKEYED}:{topic}"
    partition, offset = _number(why.get("partition")), _number(why.get("offset"))
    place = (DEAD_LETTERS, record.partition, record.offset)
    told = partition is not None and offset is not None
    return Letter(
        place=place[1:],
        reason=why.get("reason", UNKNOWN),
        detail=why.get("detail", ""),
        record=(topic, partition, offset),
        identity=identity((known, partition, offset) if told else place, record.value),
        target=partition
        if partition is not None and 0 <= partition < partitions
        else partition_of(record.key, partitions, record.offset),
        truncated=_number(why["truncated"]) or 0 if "truncated" in why else None,
        sent_before=sent_before,
    )


def _number(text: str | None) -> int | None:
    digits = (text or "").removeprefix("-")
    # No offset of Kafka has more digits.
    return int(text or "") if digits.isascii() and digits.isdecimal() and len(digits) < 20 else None


def decide(chosen: Iterable[Letter], arrived: Collection[str], limit: int | None) -> None:
    """Decide what becomes of letters that are asked for.

    Args:
        chosen: in the order of their places.
        arrived: identities of those that were sent before.
        limit: the largest number to send; None for all.
    """
    seen: set[str] = set()
    for letter in chosen:
        if letter.record[1] == NO_PARTITION or letter.record[0] == UNKNOWN:
            letter.standing = Standing.NO_RECORD
        elif letter.record[0] == FACTS and letter.sent_before is None:
            letter.standing = Standing.INTERNAL
        elif letter.truncated is not None:
            letter.standing = Standing.TRUNCATED
        elif letter.identity in arrived:
            letter.standing = Standing.SENT_BEFORE
        elif letter.unfit is not None:
            letter.standing = letter.unfit
        elif letter.identity in seen:
            letter.standing = Standing.SAME_RECORD
        elif limit is not None and len(seen) >= limit:
            letter.standing = Standing.OVER_LIMIT
        else:
            letter.standing = Standing.TO_SEND
            seen.add(letter.identity)
