"""The messages of the facts topic: what the user stage, and the commands, tell the item stage.

A message is one byte that names the version, and MessagePack. It holds no user id and no text of a user.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import msgspec

from features.items.fact import Fact
from features.observation import Kind, source_of, to_micros
from streams.exceptions import StateMismatchError
from streams.records.events import LATEST_MS, MAX_ID_BYTES, MAX_MONEY, MAX_QUANTITY
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

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(FactBatch | Forecast | Forget)
_PREFIX: Final = bytes([VERSION])
_REVIEW: Final = int(Kind.REVIEW)
_SOURCES: Final = {int(kind): int(source_of(kind)) for kind in Kind if kind is not Kind.SEARCH}
_LEAST: Final = -(1 << 63)
_GREATEST_OFFSET: Final = (1 << 63) - 1
_MICRO_POLARITY: Final = 1_000_000
_MICRO_MONEY: Final = to_micros(MAX_MONEY)
_FORECAST_LEVELS: Final = 8


def encode(message: Message) -> bytes:
    """Return the bytes of a message."""
    return _PREFIX + _encoder.encode(message)


def decode(value: bytes | None) -> Message | Rejection:
    """Return the message in a record's value; `malformed` for bytes that are none.

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
    try:
        message = _decoder.decode(memoryview(value)[1:])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _malformed("found bytes that are no message")
    return message if _SOUND[type(message)](message) else _malformed("found values out of their range")


def _malformed(found: str) -> Rejection:
    return Rejection(Reason.MALFORMED, f"expected a message of facts, {found}")


def _id(item_id: str) -> bool:
    try:
        return 0 < len(item_id.encode()) <= MAX_ID_BYTES
    except UnicodeEncodeError:
        return False


def _batch(batch: FactBatch) -> bool:
    return batch.source_partition >= 0 and bool(batch.facts) and all(map(_fact, batch.facts))


def _fact(fact: Fact) -> bool:
    amount, price, polarity = fact.amount, fact.price, fact.polarity
    return (
        _SOURCES.get(fact.kind) == fact.topic
        and 0 <= fact.offset <= _GREATEST_OFFSET
        and _LEAST < fact.timestamp <= LATEST_MS
        and 0 <= fact.units <= MAX_QUANTITY
        and (price is None or (math.isfinite(price) and 0.0 <= price <= MAX_MONEY))
        and (polarity is None or -_MICRO_POLARITY <= polarity <= _MICRO_POLARITY)
        and (fact.kind != _REVIEW if amount is None else 0 <= amount <= _MICRO_MONEY)
        and _id(fact.item_id)
    )


def _forecast(forecast: Forecast) -> bool:
    return _id(forecast.item_id) and 0 <= forecast.made_at <= LATEST_MS and _plain(forecast.forecast, _FORECAST_LEVELS)


def _plain(value: Any, levels: int) -> bool:
    """Return whether a value is one that JSON has: the record of the item is to show it."""
    if isinstance(value, dict):
        return levels > 0 and all(isinstance(key, str) and _plain(part, levels - 1) for key, part in value.items())
    if isinstance(value, list):
        return levels > 0 and all(_plain(part, levels - 1) for part in value)
    return value is None or isinstance(value, bool | int | float | str)


def _forget(forget: Forget) -> bool:
    return _id(forget.item_id)


_SOUND: Final[dict[type, Callable[[Any], bool]]] = {FactBatch: _batch, Forecast: _forecast, Forget: _forget}
