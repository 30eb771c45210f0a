"""NDJSON lines: how events are written in a file, and how they become records."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from aiokafka.partitioner import murmur2

from streams.dead_letters import Reason, Rejection
from streams.exceptions import ConfigurationError
from streams.kafka import INPUTS
from streams.settings import MAX_TOPIC_BYTES


class Record(NamedTuple):
    """A record for one of the input topics (its name in the contract)."""

    topic: str
    key: bytes | None
    value: bytes


class RejectedLine(NamedTuple):
    """A line that is no record; `topic` is what it named, as far as it named one."""

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


_line = msgspec.json.Decoder(_Line)
_owner = msgspec.json.Decoder(_Owner)


def parse_line(line: bytes) -> Record | RejectedLine:
    """Return the record of a line, or why it is none.

    The value stays byte for byte as it stands in the line: whether it is valid is for the worker to say.
    """
    try:
        parsed = _line.decode(line)
        value = _value(parsed)
    except (msgspec.MsgspecError, UnicodeError, binascii.Error, RecursionError):
        return _reject("", line, "an object with `topic` and one of `value`, `raw` and `raw_base64`")
    if parsed.topic not in INPUTS:
        return _reject(parsed.topic, line, f"a topic among {', '.join(INPUTS)}")
    if value is None:
        return _reject(parsed.topic, line, "exactly one of `value`, `raw` and `raw_base64`")
    if len(value) > MAX_TOPIC_BYTES:
        detail = f"record: expected at most the {MAX_TOPIC_BYTES} bytes a topic takes, found more; its head is kept"
        return RejectedLine(parsed.topic, line[: MAX_TOPIC_BYTES // 2], Rejection(Reason.TOO_LARGE, detail))
    return Record(parsed.topic, _key(parsed), value)


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
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def _reject(topic: str, line: bytes, expected: str) -> RejectedLine:
    return RejectedLine(topic, line, Rejection(Reason.INVALID, f"line: expected {expected}, found something else"))


def partition_of(key: bytes | None, partitions: int, spread: int) -> int:
    """The partition of a key, as Kafka's default partitioner has it; `spread` places records without a key."""
    if key is None:
        return spread % partitions
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


def read_lines(files: Sequence[Path]) -> Iterator[tuple[int, bytes]]:
    """Yield the non-empty lines of files, each with its number in its file, from 1.

    Raises:
        ConfigurationError: a file cannot be read.
    """
    for path in files:
        try:
            with path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    stripped = line.strip(b" \t\r\n")
                    if stripped:
                        yield number, stripped
        except OSError as error:
            raise ConfigurationError(f"{path}: {error.strerror}") from error
