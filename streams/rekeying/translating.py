"""From the records of a shop's topic to events keyed by user, or the reason why there are none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import msgspec
import orjson

from streams.contract import CLICKS, ERASURES
from streams.records.decoder import Decoder
from streams.records.ndjson import Record, RejectedLine
from streams.records.rejection import Reason, Rejection
from streams.records.shapes.auto import OWN
from streams.records.shapes.translated import Translated
from streams.records.shapes.values import bounded_id
from streams.settings import MAX_TOPIC_BYTES, Settings
from streams.sources.shape import Format, Shaping


class Sourced(NamedTuple):
    """A record of a source, its value taken to JSON.

    Attributes:
        topic: the source's name on the broker.
        partition, offset: its place there.
        value: one JSON object in bytes, the empty value of a record that has none, or why there is no JSON.
    """

    topic: str
    partition: int
    offset: int
    value: bytes | Rejection


@dataclass(slots=True)
class Translation:
    """What becomes of one record.

    Attributes:
        events: for the inputs, each sound and keyed by its user.
        rejection: why the record, or a part of it, is refused; None if nothing of it is.
        left_out: why a sound record has no event; empty otherwise.
    """

    events: list[Record] = field(default_factory=list)
    rejection: Rejection | None = None
    left_out: str = ""


class _Judged(NamedTuple):
    """An event as a decoder takes it, and the translation that it belongs to."""

    key: bytes | None
    value: bytes
    timestamp: int
    translation: Translation


class _Known(msgspec.Struct):
    event_id: msgspec.Raw | msgspec.UnsetType | None = msgspec.UNSET


class _Owned(msgspec.Struct):
    user_id: str


_known: Final = msgspec.json.Decoder(_Known)
_owned: Final = msgspec.json.Decoder(_Owned)


class Translator:
    """Translates records by the settings, and judges what comes of them as a worker will.

    Args:
        settings: name the sources, their format and the currency.
    """

    def __init__(self, settings: Settings) -> None:
        self._shaping = Shaping(Format(settings.rekey_format))
        self._decoder = Decoder.of(settings)
        self._holds = {source.topic: source.holds for source in settings.rekey_topics}

    def translate(self, records: Iterable[Sourced], now_ms: int) -> list[Translation]:
        """Return what becomes of each record.

        Args:
            records: in their order.
            now_ms: epoch ms, the Kafka timestamp that the events are about to have.
        """
        found: list[Translation] = []
        judged: defaultdict[str, list[_Judged]] = defaultdict(list)
        for record in records:
            translation = Translation()
            found.append(translation)
            for event in self._events(record, translation):
                judged[event.topic].append(_Judged(event.key, event.value, now_ms, translation))
        for topic, events in judged.items():
            self._judge(topic, events)
        return found

    def _events(self, record: Sourced, translation: Translation) -> list[Record]:
        """Return the events of a record before they are judged, and note what is refused or left out."""
        value = record.value
        if isinstance(value, Rejection):
            translation.rejection = value
            return []
        if not value:
            decoded = self._decoder.decode(CLICKS, None, value, 0)
            translation.rejection = decoded if isinstance(decoded, Rejection) else None
            return []
        if len(value) > MAX_TOPIC_BYTES:
            detail = f"record: expected at most {MAX_TOPIC_BYTES} bytes, found more"
            translation.rejection = Rejection(Reason.TOO_LARGE, detail)
            return []
        held = self._holds.get(record.topic)
        if held is not None:
            return [Record(held, _user_of(value), _identified(held, value, record))]
        shaped = self._shaping(value)
        came = self._shaping.latest
        own = isinstance(came, Translated) and came.source == OWN
        translation.left_out = "" if shaped or came is None else came.left_out
        events: list[Record] = []
        for one in shaped:
            if isinstance(one, RejectedLine):
                translation.rejection = translation.rejection or one.rejection
            else:
                events.append(one._replace(value=_identified(one.topic, one.value, record)) if own else one)
        return events

    def _judge(self, topic: str, events: Sequence[_Judged]) -> None:
        # Clicks that are plain are decoded together; what is asked of a record of Kafka are these fields alone.
        decoded: Sequence[Any] = self._decoder.decode_all(topic, events)
        for event, verdict in zip(events, decoded, strict=True):
            translation = event.translation
            if isinstance(verdict, Rejection):
                translation.rejection = translation.rejection or verdict
            else:
                translation.events.append(Record(topic, event.key, event.value))


def _user_of(value: bytes) -> bytes | None:
    """Return the key of an event without a line around it; None where the decoder will refuse the event."""
    try:
        return _owned.decode(value).user_id.encode()
    except (ValueError, RecursionError):
        return None


def _identified(topic: str, value: bytes, record: Sourced) -> bytes:
    """Return an event of the contract with an id: where it has none, the place of its record is one."""
    if topic == ERASURES:
        return value
    try:
        known = _known.decode(value).event_id
        if known is not msgspec.UNSET and known is not None:
            return value
        fields = orjson.loads(value)
    except (ValueError, RecursionError):
        # The decoder says what is wrong with it.
        return value
    place = bounded_id(f"{record.topic}/{record.partition}/{record.offset}")
    return orjson.dumps(fields | {"event_id": place})
