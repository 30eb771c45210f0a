"""NDJSON lines: the shape of events in the contract, and the records made from them."""

from __future__ import annotations

import base64
import json
import re
from contextlib import suppress
from typing import Final, NamedTuple

import msgspec

from streams.contract import INPUTS
from streams.records.placement import partition_of_key
from streams.records.rejection import Reason, Rejection
from streams.settings import MAX_TOPIC_BYTES

KEY_HEADROOM: Final = 1 << 15
"""Bytes of key allowed beside the largest value: far more than an id takes."""

MAX_TOPIC_NAME: Final = 249
"""Characters of a topic's name in Kafka. A dead letter repeats no more than these of the topic that its line names."""


class Record(NamedTuple):
    """A record for one of the input topics; `topic` is its name in the contract."""

    topic: str
    key: bytes | None
    value: bytes


class RejectedLine(NamedTuple):
    """A line that is no record.

    Attributes:
        topic: the topic that the line names; empty if it names none.
        raw: the line, or its head if the line is larger than a topic takes.
        rejection: the reason.
    """

    topic: str
    raw: bytes
    rejection: Rejection


class _Line(msgspec.Struct):
    topic: str
    value: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    raw: str | msgspec.UnsetType = msgspec.UNSET
    raw_base64: str | msgspec.UnsetType = msgspec.UNSET
    key: str | msgspec.UnsetType | None = msgspec.UNSET


class _Owner(msgspec.Struct):
    user_id: str


_OTHER: Final = "something else"
_BARE: Final = 'a bare event: wrap it as {"topic": "clicks", "value": {...}}'
_OWN_SHAPE: Final = "an object without `topic` and `user_id`"
_MARK: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[][{},:]', re.DOTALL)
_STEP: Final = {b"{": 1, b"[": 1, b"}": -1, b"]": -1}
_line = msgspec.json.Decoder(_Line)
_owner = msgspec.json.Decoder(_Owner)


def parse_line(line: bytes) -> Record | RejectedLine:
    """Return the record of a line, or the reason why it is none.

    The value keeps the bytes that it has in the line. The worker decides whether the value is valid.
    """
    try:
        parsed = _parse(line)
        value = _value(parsed)
    except (ValueError, RecursionError):
        topic, expected, found = _blame(line)
        return _reject(topic, line, expected, found=found)
    if parsed.topic not in INPUTS:
        return _reject(parsed.topic, line, f"a topic among {', '.join(INPUTS)}")
    if value is None:
        return _reject(parsed.topic, line, "exactly one of `value`, `raw` and `raw_base64`")
    key = _key(parsed)
    if len(value) > MAX_TOPIC_BYTES or len(value) + len(key or b"") > MAX_TOPIC_BYTES + KEY_HEADROOM:
        return _reject(parsed.topic, line, f"a record of at most {MAX_TOPIC_BYTES} bytes", Reason.TOO_LARGE)
    return Record(parsed.topic, key, value)


def _parse(line: bytes) -> _Line:
    try:
        return _line.decode(line)
    except (msgspec.DecodeError, RecursionError):
        # NaN, a lone surrogate or deep nesting may stand in the value: the worker then calls it malformed.
        return _parse_around_value(line)


def _parse_around_value(line: bytes) -> _Line:
    """Parse a line whose value goes beyond strict JSON. The value keeps its bytes.

    Raises:
        ValueError: the text around the value is not that of a line.
    """
    with suppress(RecursionError):
        json.loads(line.decode())
    members = _members(line)
    value = members.pop(b'"value"', None)
    parsed = _line.decode(b"{" + b",".join(name + b":" + rest for name, rest in members.items()) + b"}")
    if value is not None:
        parsed.value = msgspec.Raw(value)
    return parsed


def _members(line: bytes) -> dict[bytes, bytes]:
    """Return the members of an object by name; names and values are the text as written."""
    members: dict[bytes, bytes] = {}
    depth = start = 0
    name = b""
    for found in _MARK.finditer(line):
        mark = found[0]
        if depth == 1 and mark == b":":
            name, start = line[start : found.start()].strip(), found.end()
        elif depth == 1 and mark in b",}":
            members[name], start = line[start : found.start()].strip(), found.end()
        elif not depth:
            start = found.end()
        depth += _STEP.get(mark, 0)
    return members


def _value(parsed: _Line) -> bytes | None:
    given = [
        *(() if parsed.value is msgspec.UNSET else (bytes(parsed.value),)),
        *(() if parsed.raw is msgspec.UNSET else (parsed.raw.encode(),)),
        *(() if parsed.raw_base64 is msgspec.UNSET else (base64.b64decode(parsed.raw_base64, validate=True),)),
    ]
    return given[0] if len(given) == 1 else None


def _key(parsed: _Line) -> bytes | None:
    if parsed.key is not msgspec.UNSET:
        return None if parsed.key is None else parsed.key.encode()
    if parsed.value is msgspec.UNSET:
        return None
    try:
        return _owner.decode(parsed.value).user_id.encode()
    except (ValueError, RecursionError):
        return _key_of_malformed(bytes(parsed.value))


def _key_of_malformed(value: bytes) -> bytes | None:
    try:
        user_id = json.loads(value.decode(errors="replace"))["user_id"]
        return user_id.encode() if isinstance(user_id, str) else None
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


def _blame(line: bytes) -> tuple[str, str, str]:
    """Return the topic that a line names, if it is an input topic, and texts that say what was expected and found."""
    expected = "an object with `topic` and one of `value`, `raw` and `raw_base64`"
    try:
        found = json.loads(line.decode())
    except (ValueError, RecursionError):
        return "", expected, "no JSON"
    topic = found.get("topic") if isinstance(found, dict) else None
    if topic not in INPUTS:
        if not isinstance(found, dict) or "topic" in found:
            return "", expected, _OTHER
        return "", expected, _BARE if "user_id" in found else _OWN_SHAPE
    if not isinstance(found.get("key"), str | None):
        return topic, "text or null under `key`", _OTHER
    for name in ("raw", "raw_base64"):
        if name in found and not isinstance(found[name], str):
            return topic, f"text under `{name}`", _OTHER
    return topic, "base64 under `raw_base64`" if "raw_base64" in found else expected, _OTHER


def _reject(
    topic: str, line: bytes, expected: str, reason: Reason = Reason.INVALID, found: str = _OTHER
) -> RejectedLine:
    return reject_line(topic, line, f"line: expected {expected}, found {found}", reason)


def reject_line(topic: str, line: bytes, detail: str, reason: Reason) -> RejectedLine:
    """Return the rejection of a line, of which no more is kept than a topic takes."""
    if len(line) > MAX_TOPIC_BYTES:
        line, detail = line[: MAX_TOPIC_BYTES // 2], f"{detail}; its first {MAX_TOPIC_BYTES // 2} bytes are kept"
    return RejectedLine(topic[:MAX_TOPIC_NAME], line, Rejection(reason, detail))


def partition_of(key: bytes | None, partitions: int, spread: int) -> int:
    """Return the partition of a key by Kafka's default partitioner; `spread` places records without a key."""
    if key is None:
        return spread % partitions
    return partition_of_key(key, partitions)


def text_or_base64(value: bytes) -> dict[str, str]:
    """Return a record's bytes as `raw`, or as `raw_base64` if they are not UTF-8."""
    try:
        return {"raw": value.decode()}
    except UnicodeDecodeError:
        return {"raw_base64": base64.b64encode(value).decode()}
