"""Feast's values as bytes, by hand: protobuf's wire format.

Importing Feast costs seconds and hundreds of megabytes, and its writers convert value by value; here a batch is encoded
column by column. Formats: `feast/protos/feast/types/Value.proto`, https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from features.exceptions import OnlineRowError
from features.online.rows import VECTOR_BYTES
from features.online.views import Column, Kind


def _varint(number: int) -> bytes:
    """Encode a base-128 varint; a negative number as its 64-bit two's complement."""
    number &= 0xFFFF_FFFF_FFFF_FFFF
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


# A tag is (field number of feast.types.Value << 3) | wire type: string_val 2, int64_val 4, double_val 5,
# float_list_val 16.
_STRING_TAG: Final = _varint(2 << 3 | 2)
_INT64_TAG: Final = _varint(4 << 3 | 0)
_DOUBLE: Final = struct.Struct("<Bd")
_DOUBLE_TAG: Final = 5 << 3 | 1
_PACKED_FLOATS: Final = _varint(1 << 3 | 2) + _varint(VECTOR_BYTES)
_VECTOR_PREFIX: Final = _varint(16 << 3 | 2) + _varint(len(_PACKED_FLOATS) + VECTOR_BYTES) + _PACKED_FLOATS
UNSET: Final = b""
"""Null: a value with no field set is the empty message."""

_SMALL: Final = 4096
"""Counts are nearly always below this; remembering them costs about half a megabyte."""


class _Int64Values(dict[int | None, bytes]):
    """Wire bytes of int64 values, small ones remembered."""

    def __missing__(self, number: int) -> bytes:
        if not -(2**63) <= number < 2**63:
            raise OnlineRowError("expected a signed 64-bit integer in an Int64 feature, found a greater one")
        encoded = _INT64_TAG + _varint(number)
        if 0 <= number < _SMALL:
            self[number] = encoded
        return encoded


class _Int64Texts(dict[int | None, str | None]):
    """Decimal text of int64 values, small ones remembered."""

    def __missing__(self, number: int) -> str:
        text = str(number)
        if 0 <= number < _SMALL:
            self[number] = text
        return text


_int64_values: Final = _Int64Values({None: UNSET})
_int64_texts: Final = _Int64Texts({None: None})


# What passes here is identities, tiers, and what a shop calls its items, never what a user wrote.
@lru_cache(maxsize=256)
def _string_value(text: str | None) -> bytes:
    if text is None:
        return UNSET
    encoded = text.encode()
    return _STRING_TAG + _varint(len(encoded)) + encoded


def _float64_values(column: Column) -> list[bytes]:
    pack = _DOUBLE.pack
    return [UNSET if number is None else pack(_DOUBLE_TAG, number) for number in column]


_ENCODERS: Final[dict[Kind, Callable[[Column], list[bytes]]]] = {
    Kind.INT64: lambda column: list(map(_int64_values.__getitem__, column)),
    Kind.FLOAT64: _float64_values,
    Kind.STRING: lambda column: list(map(_string_value, column)),
    Kind.FLOAT32_ARRAY: lambda column: [_VECTOR_PREFIX + vector for vector in column],
}
_TEXTS: Final[dict[Kind, Callable[[Column], list[str | None]]]] = {
    Kind.INT64: lambda column: list(map(_int64_texts.__getitem__, column)),
    Kind.FLOAT64: lambda column: [None if number is None else str(float(number)) for number in column],
    Kind.STRING: list,
    Kind.FLOAT32_ARRAY: lambda column: [None] * len(column),
}


def values(kind: Kind, column: Column) -> list[bytes]:
    """Encode one column as serialised `feast.types.Value` messages; None becomes `UNSET`.

    Raises:
        OnlineRowError: an integer that does not fit in 64 bits.
    """
    return _ENCODERS[kind](column)


def texts(kind: Kind, column: Column) -> list[str | None]:
    """Render one column as Feast fills `value_text`: numbers and strings, None for vectors and nulls."""
    return _TEXTS[kind](column)


def timestamp(nanoseconds: int) -> bytes:
    """Serialise a `google.protobuf.Timestamp` of epoch nanoseconds, cut to microseconds as Feast's are."""
    seconds, rest = divmod(nanoseconds // 1000 * 1000, 1_000_000_000)
    return b"\x08" + _varint(seconds) + (b"\x10" + _varint(rest) if rest else b"")
