"""From a row, which is an event with its fields side by side, to the JSON line of the contract."""

from __future__ import annotations

import math
import re
from base64 import b64encode
from collections import OrderedDict
from datetime import timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Final

import msgspec
import orjson

from streams.contract import CLICKS, ERASURES, REVIEWS, SEARCHES
from streams.records.events import Click, Erasure, Review, Search
from streams.records.ndjson import RejectedLine
from streams.records.rejection import Reason, Rejection
from streams.sources.options import SourceOptions

AMOUNT: Final = "amount"
"""A field that rows alone may be given, by a mapping: the money of all pieces, of which the price is one part."""

FIELDS: Final = frozenset(name for kind in (Review, Search, Click, Erasure) for name in kind.__struct_fields__)

MAPPED: Final = FIELDS | {"topic", "key", "value", "kafka_timestamp", AMOUNT}
"""Fields that a row may be given by a mapping or a constant."""

REQUIRED: Final = frozenset({"user_id", "timestamp"})
"""What every event has, of any topic."""

RECORD: Final = frozenset({"topic", "value"})
"""What a record has; `key` may stand beside them."""

REMEMBERED_ROWS: Final = 100_000
"""Among so many different rows, equal ones are told apart."""

_TOPIC_BY_FIELD: Final = {"action": CLICKS, "query": SEARCHES, "text": REVIEWS, "rating": REVIEWS}
KINDS: Final = frozenset({"topic", *_TOPIC_BY_FIELD})
"""Fields by which the topic of an event is known."""

_NUMBERS: Final = frozenset({"price", AMOUNT, "rating", "results"})
_WHOLE_NUMBERS: Final = frozenset({"quantity", "timestamp"})
_ANY_NUMBER: Final = _NUMBERS | _WHOLE_NUMBERS
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,3})?")
_WITH_COMMA: Final = re.compile(r"[+-]?(?:[0-9]{1,3}(?:\.[0-9]{3})+|[0-9]{1,30})(?:,[0-9]{1,30})?")
_WHOLE: Final = re.compile(r"([+-]?[0-9]{1,18})(?:\.0*)?")
_INT64: Final = 1 << 63
_NO_TOPIC: Final = "row: expected `topic`, or one of `action`, `query` and `text`, found none of them"
_BEYOND: Final = orjson.Fragment(b"1e999")
_is_json: Final = msgspec.json.Decoder()


class Rows:
    """Turns the rows of one source into lines.

    A row without `event_id` gets one from its content, so that the same row has the same id whenever it is read. Equal
    rows of a source are counted apart.

    Args:
        options: the mapping of columns, and the constants.
    """

    def __init__(self, options: SourceOptions) -> None:
        self._columns = options.columns
        self._moved = set(options.columns.values())
        self._constants = dict(options.constants)
        self._has_amount = AMOUNT in options.columns or AMOUNT in options.constants
        self._decimal_comma = options.decimal_comma
        self._seen: OrderedDict[bytes, int] = OrderedDict()

    def names(self, columns: list[str]) -> set[str]:
        """Return the fields that rows with these columns have."""
        return set(columns) - self._moved | set(self._columns) | set(self._constants)

    def fields(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return a row under the names of fields, with the constants."""
        if not self._columns and not self._constants:
            return row
        taken = {name: row.get(column) for name, column in self._columns.items()}
        return {name: value for name, value in row.items() if name not in self._moved} | taken | self._constants

    def line(self, fields: dict[str, Any], raw: bytes = b"") -> bytes | RejectedLine:
        """Return the line of an event's fields, or the reason why it is none. It raises nothing, whatever they are.

        Args:
            fields: as `fields` returns them.
            raw: the row as it is written, for the rejection.
        """
        try:
            return self._of_event(fields, raw)
        except (TypeError, UnicodeEncodeError):
            # What orjson does not take: lone surrogates, and nesting beyond its bound.
            return _not_json(raw)

    def _of_event(self, fields: dict[str, Any], raw: bytes) -> bytes | RejectedLine:
        event: dict[str, Any] = {}
        for name, value in fields.items():
            # A data frame has NaN where nothing is.
            if value is None or value != value:
                continue
            try:
                event[name] = self._plain(name, value)
            except UnicodeDecodeError:
                if name in FIELDS:
                    return refused(f"{name}: expected UTF-8, found other bytes", Reason.MALFORMED, raw)
        topic = event.pop("topic", None)
        if topic is None:
            topic = next((topic for name, topic in _TOPIC_BY_FIELD.items() if name in event), None)
            if topic is None:
                return refused(_NO_TOPIC, raw=raw)
            if topic == REVIEWS:
                # Stars without a word.
                event.setdefault("text", "")
        if self._has_amount:
            _divide(event)
        if "event_id" not in event and topic != ERASURES:
            event["event_id"] = self._id(topic, event)
        return _dumped({"topic": topic, "value": event})

    def _plain(self, name: str, value: Any) -> Any:
        if isinstance(value, bytes):
            value = value.decode()
        if isinstance(value, str):
            return number(name, value, self._decimal_comma) if name in _ANY_NUMBER else value
        if isinstance(value, float):
            # A column of integers with a null in it comes out of a data frame as floats.
            if name in _WHOLE_NUMBERS and value.is_integer():
                return int(value)
            return value if math.isfinite(value) else _BEYOND
        if isinstance(value, Decimal) and name in _WHOLE_NUMBERS and value == value.to_integral_value():
            return int(value) if abs(value) < _INT64 else value
        return value

    def _id(self, topic: object, event: dict[str, Any]) -> str:
        content = orjson.dumps([topic, event], default=_default, option=orjson.OPT_SORT_KEYS)
        digest = blake2b(content, digest_size=16).digest()
        before = self._seen.pop(digest, 0)
        self._seen[digest] = before + 1
        if len(self._seen) > REMEMBERED_ROWS:
            self._seen.popitem(last=False)
        return f"{digest.hex()}-{before}" if before else digest.hex()


def is_event(names: set[str]) -> bool:
    """Tell whether rows with these fields are events in the words of the contract."""
    return names >= REQUIRED and bool(KINDS & names)


def is_record(names: set[str]) -> bool:
    """Tell whether rows with these fields are records as a sink of topics writes them."""
    return names >= RECORD and not is_event(names)


def record_line(row: dict[str, Any]) -> bytes | RejectedLine:
    """Return the line of a row of `topic`, `value` (JSON) and perhaps `key`; without it the `user_id` is the key."""
    try:
        return _of_record(row)
    except (TypeError, UnicodeEncodeError):
        return _not_json(b"")


def whole(row: dict[str, Any]) -> bytes | RejectedLine:
    """Return a row as one JSON object, for a shape that knows what it means."""
    try:
        return _dumped(row)
    except (TypeError, UnicodeEncodeError):
        return _not_json(b"")


def refused(detail: str, reason: Reason = Reason.INVALID, raw: bytes = b"") -> RejectedLine:
    """Return the rejection of a row."""
    return RejectedLine("", raw, Rejection(reason, detail))


def number(name: str, text: str, decimal_comma: bool) -> int | float | str:
    """Return the number that a text stands for in a field; a text that is none stays, and the decoder refuses it."""
    stripped = text.strip()
    if name in _WHOLE_NUMBERS:
        if decimal_comma and _WITH_COMMA.fullmatch(stripped):
            # 1.000 are a thousand pieces here.
            stripped = stripped.replace(".", "").replace(",", ".")
        if found := _WHOLE.fullmatch(stripped):
            return int(found[1])
    if name in _NUMBERS:
        if decimal_comma and _WITH_COMMA.fullmatch(stripped):
            return float(stripped.replace(".", "").replace(",", "."))
        if not decimal_comma and _NUMBER.fullmatch(stripped):
            return float(stripped)
    return stripped


def _not_json(raw: bytes) -> RejectedLine:
    return refused("row: expected UTF-8 and values that JSON can hold, found others", Reason.MALFORMED, raw)


def _of_record(row: dict[str, Any]) -> bytes:
    topic, value = row["topic"], row["value"]
    line = {"topic": topic}
    if "key" in row:
        key = row["key"]
        line["key"] = key.decode(errors="replace") if isinstance(key, bytes) else key
    if value is not None and not isinstance(value, str | bytes):
        return _dumped(line | {"value": value})
    raw = value.encode() if isinstance(value, str) else value or b""
    if "key" not in row and _is_sound(raw):
        return _dumped(line | {"value": orjson.Fragment(raw)})
    return _dumped(line | {"raw_base64": b64encode(raw).decode()})


def _is_sound(raw: bytes) -> bool:
    try:
        _is_json.decode(raw)
    except (ValueError, RecursionError):
        return False
    return True


def _divide(event: dict[str, Any]) -> None:
    """Replace the money of all pieces by the price of one."""
    amount, quantity = event.pop(AMOUNT, None), event.get("quantity", 1)
    if amount is None:
        return
    if type(amount) in (int, float, Decimal) and type(quantity) is int and quantity > 0:
        amount = float(Decimal(str(amount)) / quantity)
    event["price"] = amount


def _default(value: Any) -> Any:
    """Return what JSON can hold of a value that orjson does not know."""
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f").encode()) if value.is_finite() else None
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, timedelta):
        return value.total_seconds()
    return str(value)


def _dumped(line: dict[str, Any]) -> bytes:
    return orjson.dumps(line, default=_default)
