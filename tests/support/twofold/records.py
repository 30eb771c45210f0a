"""What the contract says of one line of a file by itself: an event, or the reason of its dead letter.

Written from the contract alone. It shares no code with the decoder.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NoReturn

TOPICS = ("reviews", "searches", "clicks", "erasures")
ACTIONS = ("view", "favorite", "cart", "purchase", "remove", "refund")
LARGEST_RECORD = 1 << 20
LONGEST_TEXT = 32_768
LONGEST_TITLE = 1024
DEEPEST = 64
EARLIEST = 631_152_000_000
TOLERANCE = 24 * 3_600_000
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


@dataclass(frozen=True)
class Refusal:
    """A dead letter's reason."""

    reason: str


@dataclass(frozen=True)
class Event:
    """A valid event: its fields with defaults filled in, `timestamp` in ms."""

    topic: str
    user_id: str
    timestamp: int
    fields: dict[str, Any] = field(default_factory=dict)


class RefusedError(Exception):
    """Carries the reason."""


def read_line(line: bytes, arrived: int) -> Event | Refusal:
    """Read a line of NDJSON whose record has this Kafka timestamp, ms."""
    try:
        return _read(line, arrived)
    except RefusedError as error:
        return Refusal(str(error))


def _refuse(reason: str) -> NoReturn:
    raise RefusedError(reason)


def _read(line: bytes, arrived: int) -> Event:
    try:
        shape = json.loads(line)
    except (ValueError, RecursionError):
        _refuse("invalid")
    kinds = [name for name in ("value", "raw", "raw_base64") if isinstance(shape, dict) and name in shape]
    if not isinstance(shape, dict) or shape.get("topic") not in TOPICS or len(kinds) != 1:
        _refuse("invalid")
    topic, key = shape["topic"], shape.get("key")
    if kinds == ["value"]:
        raw = json.dumps(shape["value"], ensure_ascii=False).encode("utf-8", "surrogatepass")
        owner = shape["value"].get("user_id") if isinstance(shape["value"], dict) else None
        key = shape["key"] if "key" in shape else owner if isinstance(owner, str) else None
    elif kinds == ["raw"]:
        raw = shape["raw"].encode()
    else:
        raw = base64.b64decode(shape["raw_base64"])
    return _record(topic, key, raw, arrived)


def _record(topic: str, key: str | None, raw: bytes, arrived: int) -> Event:
    if len(raw) > LARGEST_RECORD:
        _refuse("too_large")
    event = _event(topic, _strict(raw))
    if key != event.user_id:
        _refuse("key_mismatch")
    words = event.fields.get("text", event.fields.get("query", ""))
    if len(words.encode()) > LONGEST_TEXT:
        _refuse("too_large")
    if event.timestamp > arrived + TOLERANCE:
        _refuse("future")
    return event


def _strict(raw: bytes) -> Any:
    """RFC 8259 and no more: UTF-8 without a byte order mark, no NaN, no lone surrogate, 64 levels."""

    def no_constant(_: str) -> NoReturn:
        _refuse("malformed")

    if raw.startswith(b"\xef\xbb\xbf"):
        _refuse("malformed")
    try:
        parsed = json.loads(raw.decode(), parse_constant=no_constant)
    except (ValueError, RecursionError):
        _refuse("malformed")
    if _depth(parsed) > DEEPEST or _has_surrogate(parsed):
        _refuse("malformed")
    return parsed


def _parts(value: Any) -> list[Any]:
    return [*value.keys(), *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []


def _depth(value: Any) -> int:
    if not isinstance(value, dict | list):
        return 0
    return 1 + max((_depth(part) for part in _parts(value)), default=0)


def _has_surrogate(value: Any) -> bool:
    if isinstance(value, str):
        return any("\ud800" <= character <= "\udfff" for character in value)
    return any(_has_surrogate(part) for part in _parts(value))


def _event(topic: str, value: Any) -> Event:
    if not isinstance(value, dict):
        _refuse("invalid")
    present = {name: part for name, part in value.items() if part is not None}
    user_id, timestamp = _id(present, "user_id"), _timestamp(present.get("timestamp"))
    if topic == "erasures":
        return Event(topic, user_id, timestamp)
    fields: dict[str, Any] = {"event_id": _id(present, "event_id"), "category": _string(present, "category")}
    if topic == "searches":
        fields["query"] = _string(present, "query", needed=True)
        _number(present, "results", 0, float("inf"))
        return Event(topic, user_id, timestamp, fields)
    if present.get("currency", "USD") != "USD":
        _refuse("invalid")
    fields["item_id"] = _id(present, "item_id")
    if topic == "reviews":
        fields["text"] = _string(present, "text", needed=True)
        fields["rating"] = _number(present, "rating", 1, 5, needed=True)
        _string(present, "locale")
        _number(present, "price", 0, 1e9)
        return Event(topic, user_id, timestamp, fields)
    if present.get("action") not in ACTIONS:
        _refuse("invalid")
    quantity = present.get("quantity", 1)
    if type(quantity) is not int or not 1 <= quantity <= 1_000_000:
        _refuse("invalid")
    price = _number(present, "price", 0, 1e9)
    if price is not None and price * quantity > 1e9:
        _refuse("invalid")
    for name in ("session_id", "order_id"):
        if name in present:
            fields[name] = _id(present, name)
    title = _string(present, "title")
    if title is not None:
        title = title.encode()[:LONGEST_TITLE].decode(errors="ignore")
    fields |= {"action": present["action"], "quantity": quantity, "price": price, "title": title}
    return Event(topic, user_id, timestamp, fields)


def _id(fields: dict[str, Any], name: str) -> str:
    found = fields.get(name)
    if not isinstance(found, str) or not 1 <= len(found.encode()) <= 256:
        _refuse("invalid")
    return found


def _string(fields: dict[str, Any], name: str, *, needed: bool = False) -> str | None:
    found = fields.get(name)
    if not isinstance(found, str) and (needed or found is not None):
        _refuse("invalid")
    return found


def _number(fields: dict[str, Any], name: str, low: float, high: float, *, needed: bool = False) -> float | None:
    found = fields.get(name)
    if found is None and not needed:
        return None
    if type(found) not in (int, float) or not low <= found <= high or found == float("inf"):
        _refuse("invalid")
    return float(found)


def _timestamp(found: Any) -> int:
    if isinstance(found, str) and RFC_3339.fullmatch(found):
        try:
            found = _milliseconds(found)
        except ValueError:
            _refuse("invalid")
    if type(found) is not int or found < EARLIEST:
        _refuse("invalid")
    return found


def _milliseconds(text: str) -> int:
    """Fractions are cut, whatever their length."""
    whole, fraction = re.sub(r"\.\d+", "", text), re.search(r"\.(\d+)", text)
    seconds = datetime.fromisoformat(whole.upper().replace("Z", "+00:00")).timestamp()
    return int(seconds) * 1000 + int((fraction[1] + "00")[:3] if fraction else 0)
