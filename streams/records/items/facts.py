"""The messages of the facts topic: what the user stage, and the commands, tell the item stage.

A message is one byte that names the version, and MessagePack. It holds no user id and no text of a user.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import msgspec

from features.items.fact import Fact
from features.observation import Source
from streams.contract import INPUTS
from streams.exceptions import StateMismatchError
from streams.records.items.bounds import possible_fact, possible_forecast, possible_id
from streams.records.rejection import Reason, Rejection
from streams.records.withheld import Why, Withheld

VERSION: Final = 1
"""Of the messages that this release writes, and the newest that it reads."""


class NewerFactsError(StateMismatchError):
    """A message of the facts topic was written by a newer release."""


class FactBatch(msgspec.Struct, array_like=True, tag=1, frozen=True, gc=False, forbid_unknown_fields=True):
    """Facts of items of one partition, which events of one source partition gave.

    Attributes:
        source_partition: that of the events.
        head: identity of the polarity head that read the reviews; empty without one.
        facts: at least one; those of one topic in the order of their offsets.
    """

    source_partition: int
    head: str
    facts: list[Fact]


class Forecast(msgspec.Struct, array_like=True, tag=2, frozen=True, gc=False, forbid_unknown_fields=True):
    """A forecast of an item's demand, made in a batch.

    Attributes:
        item_id: the item.
        made_at: when it was made, ms.
        forecast: what it says, as the record of the item shows it.
    """

    item_id: str
    made_at: int
    forecast: dict[str, Any]


class Forget(msgspec.Struct, array_like=True, tag=3, frozen=True, gc=False, forbid_unknown_fields=True):
    """A command to forget an item.

    Attributes:
        item_id: the item.
    """

    item_id: str


Message: TypeAlias = FactBatch | Forecast | Forget
"""`Forecast` and `Forget` are keyed by their item and placed by the key; a batch has no key."""


@dataclass(frozen=True, slots=True)
class Remainder:
    """What is left of a batch some of whose facts no event can have given: the other facts, which count.

    Attributes:
        batch: with the facts that can be read, perhaps none.
        refused: how many are left out.
        rejection: why, and which they are.
    """

    batch: FactBatch
    refused: int
    rejection: Rejection


class _Split(msgspec.Struct, array_like=True, tag=1, forbid_unknown_fields=True):
    """A `FactBatch` whose facts are not read yet."""

    source_partition: int
    head: str
    facts: list[msgspec.Raw]


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(FactBatch | Forecast | Forget)
_splitter: Final = msgspec.msgpack.Decoder(_Split)
_fact_decoder: Final = msgspec.msgpack.Decoder(Fact)
# Text that is no UTF-8 is told of by an error that is none of msgspec's.
_UNDECODABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_PREFIX: Final = bytes([VERSION])
_TOPICS: Final = {int(source): INPUTS[source] for source in (Source.REVIEWS, Source.CLICKS)}
_NAMED: Final = 8
"""Facts that a rejection names."""


def encode(message: Message) -> bytes:
    """Return the bytes of a message."""
    return _PREFIX + _encoder.encode(message)


def decode(value: bytes | None) -> Message | Remainder | Rejection:
    """Return the message in a record's value, or what is left of it; `malformed` for bytes that are none.

    A fact that no event can have given costs no other one: only what cannot be split into facts is refused whole.

    Raises:
        NewerFactsError: a newer release wrote it. It must not be passed over, for its facts would be lost.
        StateMismatchError: it is in a batch that the settings are too narrow for, and must not be passed over either.
    """
    if isinstance(value, Withheld):
        if value.why is Why.TOO_LARGE:
            raise StateMismatchError(
                "item-facts: expected batches that unpack to WHEREWITHAL_UNPACKED_BATCH_BYTES at most, found a larger "
                "one: raise it, or its facts are lost"
            )
        return _malformed("found a batch that cannot be unpacked")
    if not value:
        return _malformed("found no bytes")
    if value[0] > VERSION:
        raise NewerFactsError(
            f"item-facts: expected messages of version {VERSION} at most, found one of version {value[0]}: "
            "upgrade the workers of the item stage before those of the user stage"
        )
    if value[0] != VERSION:
        return _malformed(f"found version {value[0]}")
    body = memoryview(value)[1:]
    try:
        message: Message = _decoder.decode(body)
    except _UNDECODABLE:
        return _split(body) or _malformed("found bytes that are no message")
    if _SOUND[type(message)](message):
        return message
    return _split(body) or _malformed("found values out of their range")


def _split(body: memoryview) -> Remainder | None:
    """Return what is left of a batch without the facts that are none; None for what is no batch of facts."""
    try:
        split = _splitter.decode(body)
    except _UNDECODABLE:
        return None
    if split.source_partition < 0 or not split.facts:
        return None
    kept: list[Fact] = []
    refused: list[str] = []
    for number, encoded in enumerate(split.facts, 1):
        try:
            fact = _fact_decoder.decode(encoded)
        except _UNDECODABLE:
            refused.append(f"{number} (unreadable)")
            continue
        if possible_fact(fact):
            kept.append(fact)
        else:
            refused.append(f"{number} ({_place(fact, split.source_partition)})")
    more = f" and {len(refused) - _NAMED} more" if len(refused) > _NAMED else ""
    return Remainder(
        FactBatch(split.source_partition, split.head, kept),
        len(refused),
        Rejection(
            Reason.MALFORMED,
            f"expected facts that events can give, found {len(refused)} of {len(split.facts)} that are none, "
            f"the others count: {', '.join(refused[:_NAMED])}{more}",
        ),
    )


def _place(fact: Fact, source_partition: int) -> str:
    """Return the place of the event that a fact claims to be of."""
    topic = _TOPICS.get(fact.topic)
    return "of no event" if topic is None else f"{topic}/{source_partition}/{fact.offset}"


def _malformed(found: str) -> Rejection:
    return Rejection(Reason.MALFORMED, f"expected a message of facts, {found}")


def _batch(batch: FactBatch) -> bool:
    return batch.source_partition >= 0 and bool(batch.facts) and all(map(possible_fact, batch.facts))


def _forecast(forecast: Forecast) -> bool:
    return possible_id(forecast.item_id) and possible_forecast(forecast.made_at, forecast.forecast)


def _forget(forget: Forget) -> bool:
    return possible_id(forget.item_id)


_SOUND: Final[dict[type, Callable[[Any], bool]]] = {FactBatch: _batch, Forecast: _forecast, Forget: _forget}
