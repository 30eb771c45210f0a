"""Records as an option asks for them: ids that are whole numbers as text, local times in their zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

import orjson

from streams.records.ndjson import Record
from streams.sources.options import SourceOptions

IDS: Final = ("user_id", "item_id", "event_id", "session_id", "order_id")

_LOCAL: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,30}))?)?)?"
)
_DAY: Final = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_FIRST_INEXACT: Final = float(2**53)


def amended(record: Record, options: SourceOptions) -> Record:
    """Return a record with its ids and its time as the options say; what they do not speak of keeps its bytes."""
    if not options.amends:
        return record
    try:
        event = orjson.loads(record.value)
    except orjson.JSONDecodeError:
        return record
    if not isinstance(event, dict):
        return record
    changes: dict[str, Any] = {}
    if options.integer_ids:
        changes = {name: text for name in IDS if (text := _whole(event.get(name))) is not None}
    if options.timezone is not None:
        instant = local_instant(event.get("timestamp"), options.timezone)
        if instant is not None:
            changes["timestamp"] = instant
    if not changes:
        return record
    key = changes["user_id"].encode() if record.key is None and "user_id" in changes else record.key
    return Record(record.topic, key, orjson.dumps(event | changes))


def local_instant(value: object, zone: tzinfo) -> int | None:
    """Return a date or a time without an offset in epoch ms; None if the value is neither.

    A date is its first instant. Of a time that comes twice, when clocks are set back, the first counts.

    Args:
        value: `2025-11-24`, `20251124` (text or integer), or `2025-11-24 16:03`, with seconds and fractions or without.
        zone: in which it is read.
    """
    text = str(value) if type(value) is int else value
    if not isinstance(text, str):
        return None
    found = _DAY.fullmatch(text) or _LOCAL.fullmatch(text.strip())
    if found is None:
        return None
    *whole, fraction = (*found.groups(), None, None, None, None)[:7]
    try:
        year, month, day, hour, minute, second = (int(part or 0) for part in whole)
        local = datetime(year, month, day, hour, minute, second, tzinfo=zone)
        instant = (local - _EPOCH) // _MILLISECOND
    except (ValueError, OverflowError):
        return None
    return instant + int((fraction or "")[:3].ljust(3, "0"))


def _whole(value: object) -> str | None:
    if type(value) is int:
        return str(value)
    # A data frame makes floats of integers where one is missing. Beyond 2^53 they are not exact.
    if type(value) is float and value.is_integer() and abs(value) < _FIRST_INEXACT:
        return str(int(value))
    return None
