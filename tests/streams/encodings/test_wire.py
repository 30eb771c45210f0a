"""What stands before the bytes of a value is read, or refused in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.encodings.exceptions import UnreadableValueError
from streams.encodings.wire import MAX_INDEXES, MAX_SCHEMA_ID, message_indexes, schema_id_of


def zigzag(number: int) -> bytes:
    rest = number << 1 if number >= 0 else ((-number) << 1) - 1
    written = bytearray()
    while rest > 0x7F:
        written.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*written, rest])


@given(st.integers(0, MAX_SCHEMA_ID), st.binary())
def test_the_id_is_read_whatever_follows(schema_id: int, rest: bytes) -> None:
    assert schema_id_of(b"\x00" + schema_id.to_bytes(4, "big") + rest) == schema_id


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"Obj\x01\x04\x14avro.codec", "object container"),
        (b'{"a": 1}', "another first byte"),
        (b"\x00", "found 1 bytes in all"),
        (b"\x00\x00\x00\x01", "found 4 bytes in all"),
        (b"\x00\x80\x00\x00\x00rest", "a greater one"),
    ],
)
def test_another_beginning_is_named(value: bytes, found: str) -> None:
    with pytest.raises(UnreadableValueError, match=found):
        schema_id_of(value)


@given(st.lists(st.integers(-1000, 10**6), min_size=1, max_size=MAX_INDEXES), st.binary())
def test_indexes_are_read_whatever_follows(indexes: list[int], rest: bytes) -> None:
    before = b"\x00\x00\x00\x00\x01" + b"".join(map(zigzag, [len(indexes), *indexes]))
    assert message_indexes(before + rest) == (tuple(indexes), len(before))


def test_one_zero_is_the_first_message() -> None:
    assert message_indexes(b"\x00\x00\x00\x00\x01\x00\x08\x05") == ((0,), 6)


@given(st.binary(max_size=40))
def test_any_bytes_give_indexes_within_them_or_are_refused(rest: bytes) -> None:
    value = b"\x00\x00\x00\x00\x01" + rest
    try:
        indexes, at = message_indexes(value)
    except UnreadableValueError:
        return
    assert 0 < len(indexes) <= MAX_INDEXES
    assert 5 < at <= len(value)


@pytest.mark.parametrize(
    "rest", [b"", b"\x80" * 100, b"\xff" * 100, b"\x02", b"\x02\x80", b"\x01", zigzag(33) + b"\x00" * 33]
)
def test_varints_without_an_end_and_wrong_counts_are_refused(rest: bytes) -> None:
    with pytest.raises(UnreadableValueError, match="message indexes"):
        message_indexes(b"\x00\x00\x00\x00\x01" + rest)
