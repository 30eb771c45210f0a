"""The strict decoding of incoming records: bytes become an event, or a reason why not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Self, TypeAlias

from aiokafka import ConsumerRecord

from features.tiles import HOUR
from streams.contract import CLICKS, INPUTS
from streams.exceptions import ConfigurationError, InvalidEventError, MalformedJSONError
from streams.records.event_reader import EventReader
from streams.records.events import MAX_MONEY, Click, Erasure, Review, Search, text_of
from streams.records.fields import is_short_title
from streams.records.future import is_future
from streams.records.plain_clicks import decode_plain_clicks
from streams.records.rejection import Reason, Rejection
from streams.records.withheld import Why, Withheld
from streams.settings import MAX_RECORD_BYTES, Settings

_FEWEST_TOGETHER: Final = 16
"""The smallest group of clicks that is halved to look for plain ones; a smaller group is decoded one by one."""

_WITHHELD: Final = {
    Why.TOO_LARGE: Rejection(
        Reason.TOO_LARGE,
        "batch: expected one that unpacks to at most WHEREWITHAL_UNPACKED_BATCH_BYTES, found one that unpacks to more",
    ),
    Why.UNREADABLE: Rejection(Reason.MALFORMED, "batch: expected one that can be unpacked, found a damaged one"),
}

Decoded: TypeAlias = Review | Search | Click | Erasure | Rejection


class Decoder:
    """Decodes and validates the records of one deployment.

    Args:
        currency: the only currency an event may name.
        earliest_ms: an older timestamp, in epoch milliseconds, is `invalid`; default 1990-01-01.
        max_record_bytes: a longer record is `too_large` and not looked into.
        max_text_bytes: a longer `text` or `query`, in UTF-8 bytes, is `too_large`.
        max_future_ms: a timestamp further ahead of the record's own, in milliseconds, is `future`, as is any after the
            year 9999.
    """

    __slots__ = (
        "_currency",
        "_earliest_ms",
        "_max_future_ms",
        "_max_record_bytes",
        "_max_text_bytes",
        "_reader",
    )

    def __init__(
        self,
        currency: str = "USD",
        earliest_ms: int = 631_152_000_000,
        max_record_bytes: int = 1_048_576,
        max_text_bytes: int = 32_768,
        max_future_ms: int = 86_400_000,
    ) -> None:
        self._currency = currency
        self._earliest_ms = earliest_ms
        self._max_record_bytes = max_record_bytes
        self._max_text_bytes = max_text_bytes
        self._max_future_ms = max_future_ms
        self._reader = EventReader(currency, earliest_ms)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Make the decoder of a deployment with these settings."""
        return cls(
            currency=settings.currency,
            earliest_ms=settings.earliest_timestamp_ms,
            max_record_bytes=MAX_RECORD_BYTES,
            max_future_ms=int(settings.future_tolerance_h * HOUR),
        )

    def decode(self, topic: str, key: bytes | None, value: bytes | None, kafka_timestamp_ms: int) -> Decoded:
        """Decode one record. It returns for any bytes, and raises nothing because of them.

        Args:
            topic: `reviews`, `searches`, `clicks` or `erasures`, without the deployment's prefix.
            key: the record's key.
            value: the record's value; None or an empty one is `malformed`.
            kafka_timestamp_ms: the record's Kafka timestamp, in epoch milliseconds.

        Returns:
            The event, or the first reason that applies.

        Raises:
            ConfigurationError: there is no such topic.
        """
        if topic not in INPUTS:
            raise ConfigurationError(f"expected a topic among {', '.join(INPUTS)}, found another")
        if not value:
            if isinstance(value, Withheld):
                return _WITHHELD[value.why]
            return Rejection(Reason.MALFORMED, "record: expected JSON, found nothing")
        if len(value) > self._max_record_bytes:
            return Rejection(Reason.TOO_LARGE, f"record: expected at most {self._max_record_bytes} bytes, found more")
        try:
            event = self._reader.read(topic, value)
        except MalformedJSONError as error:
            return Rejection(Reason.MALFORMED, f"record: {error}")
        except InvalidEventError as error:
            return Rejection(Reason.INVALID, str(error))
        if key != event.user_id.encode():
            found = "no key" if key is None else "another key"
            return Rejection(Reason.KEY_MISMATCH, f"key: expected the user_id in UTF-8, found {found}")
        if type(event) is not Click and self._is_long(text_of(event)):
            limit = f"at most {self._max_text_bytes} UTF-8 bytes"
            return Rejection(Reason.TOO_LARGE, f"text or query: expected {limit}, found more")
        if is_future(event.timestamp, kafka_timestamp_ms, self._max_future_ms):
            limit = f"at most {self._max_future_ms} ms after the record's Kafka timestamp, and no year after 9999"
            return Rejection(Reason.FUTURE, f"timestamp: expected {limit}, found a later one")
        return event

    def decode_all(self, topic: str, records: Sequence[ConsumerRecord]) -> list[Decoded]:
        """Decode records of one topic. The result is that of `decode` for each; plain clicks are decoded together."""
        clicks = None
        if topic == CLICKS:
            # One record's limit holds for all values together: each is within it, and joining takes no more memory.
            clicks = decode_plain_clicks([record.value for record in records], self._max_record_bytes)
            if clicks is None and len(records) > _FEWEST_TOGETHER:
                # One odd record then sends few others the thorough way.
                middle = len(records) // 2
                return self.decode_all(topic, records[:middle]) + self.decode_all(topic, records[middle:])
        if clicks is None:
            return [self.decode(topic, record.key, record.value, record.timestamp) for record in records]
        tolerance = self._max_future_ms
        return [
            click
            if (
                self._is_sound(click)
                and record.key == click.user_id.encode()
                and not is_future(click.timestamp, record.timestamp, tolerance)
            )
            else self.decode(topic, record.key, record.value, record.timestamp)
            for click, record in zip(clicks, records, strict=True)
        ]

    def _is_sound(self, click: Click) -> bool:
        """Tell whether a plain click is valid in this deployment as it is. The thorough way says why if not."""
        return (
            click.timestamp >= self._earliest_ms
            # A price of zero is left to the thorough way, which turns minus zero into zero.
            and (click.price is None or 0.0 < click.price * click.quantity <= MAX_MONEY)
            and (click.currency is None or click.currency == self._currency)
            # The thorough way cuts a longer one.
            and (click.title is None or is_short_title(click.title))
        )

    def _is_long(self, text: str) -> bool:
        # No character takes more than 4 bytes in UTF-8.
        return len(text) * 4 > self._max_text_bytes and len(text.encode()) > self._max_text_bytes
