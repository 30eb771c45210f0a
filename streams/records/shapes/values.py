"""Values as shops' programs write them: ids that are numbers, numbers that are text, and nothing in many spellings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from math import isfinite
from typing import Any, Final

from streams.exceptions import InvalidEventError
from streams.records.fields import read_id, refuse
from streams.records.timestamps import parse_rfc3339

_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,3})?")
_EXACT: Final = 2**53
"""Whole floats are exact integers below it."""

_MAX_BASE: Final = 200
"""UTF-8 bytes of an id that still leave room for the number of a line behind it."""

_CURRENCY: Final = re.compile(r"[A-Za-z]{3}")
_INT64: Final = range(-(2**63), 2**63)


def first(fields: Mapping[str, Any], names: Iterable[str], nothing: tuple[str, ...] = ("",)) -> Any:
    """Return the first of several fields that is there: null and the texts in `nothing` are not. None if none is."""
    for name in names:
        value = fields.get(name)
        if value is not None and value not in nothing:
            return value
    return None


def as_text(value: Any) -> Any:
    """Return a whole number as its text, and any other value unchanged."""
    if type(value) is int or (type(value) is float and value.is_integer() and abs(value) < _EXACT):
        return str(int(value))
    return value


def id_of(value: Any, name: str) -> str:
    """Return an id; a whole number is taken as its text.

    Raises:
        InvalidEventError: it is no text of 1 to 256 UTF-8 bytes.
    """
    return read_id(as_text(value), name)


def number(value: Any, name: str) -> int | float | None:
    """Return a number that is written as one or as text; None for null and for empty text.

    A whole number comes back as an integer. The value is finite, and an integer has at most 53 bits.

    Raises:
        InvalidEventError: it is neither.
    """
    if value is None or value == "":
        return None
    if type(value) is str:
        text = value.strip()
        if not _NUMBER.fullmatch(text):
            refuse(name, "a number, or text that is one with a point and nothing else", value, "another text")
        value = float(text)
    if type(value) is int and abs(value) < _EXACT:
        return value
    if type(value) is not int and type(value) is not float:
        refuse(name, "a number", value)
    if abs(value) > _EXACT or not isfinite(value):
        refuse(name, "a number below 2^53", value, "a greater one")
    return int(value) if value == int(value) else float(value)


def currency_of(value: Any, name: str) -> str | None:
    """Return a currency code in capitals; None for null.

    Raises:
        InvalidEventError: it has not three letters.
    """
    if value is None:
        return None
    if type(value) is not str or not _CURRENCY.fullmatch(value):
        refuse(name, "a currency of three letters", value, "another text" if type(value) is str else "")
    return value.upper()


def instant_of(value: Any, name: str) -> int:
    """Return an instant in epoch ms, from RFC 3339 text or epoch ms.

    Raises:
        InvalidEventError: it is neither.
    """
    if type(value) is str:
        try:
            return parse_rfc3339(value)
        except ValueError as error:
            raise InvalidEventError(f"{name}: {error}") from None
    if type(value) is not int or value not in _INT64:
        refuse(name, "RFC 3339 text with an offset, or integer epoch milliseconds", value)
    return value


def object_of(value: Any, name: str) -> dict[str, Any]:
    """Return an object.

    Raises:
        InvalidEventError: it is none.
    """
    if type(value) is not dict:
        refuse(name, "an object", value)
    return value


def bounded_id(text: str) -> str:
    """Return a text that is short enough for an id with a suffix: itself, or a digest of it."""
    return text if len(text.encode()) <= _MAX_BASE else digest(text)


def digest(*parts: str) -> str:
    """Return 32 hexadecimal digits that stand for texts, in their order."""
    found = blake2b(digest_size=16)
    for part in parts:
        encoded = part.encode()
        found.update(len(encoded).to_bytes(8, "little"))
        found.update(encoded)
    return found.hexdigest()
