"""The wire format of Confluent: what stands before the encoded bytes of a value."""

from __future__ import annotations

from typing import Final

from streams.encodings.exceptions import UnreadableValueError

MAGIC: Final = 0
"""The first byte of every value in this format."""

CONTAINER: Final = b"Obj\x01"
"""The first bytes of a file of Avro, which is sometimes sent by mistake."""

HEADER_BYTES: Final = 5
"""The magic byte, and the id of the schema in four bytes, big-endian."""

MAX_SCHEMA_ID: Final = 2**31 - 1
"""Registries count in signed integers of 32 bits."""

MAX_INDEXES: Final = 32
"""Messages of Protobuf that are declared in each other; the compiler itself allows about as many."""

_MAX_VARINT_BYTES: Final = 5


def schema_id_of(value: bytes) -> int:
    """Return the id of the schema that a value is written with.

    Raises:
        UnreadableValueError: the value does not begin as this format does.
    """
    if value.startswith(CONTAINER):
        raise UnreadableValueError("expected the wire format of Confluent, found a file of Avro (object container)")
    if value[0] != MAGIC:
        raise UnreadableValueError("expected the wire format of Confluent (first byte 0), found another first byte")
    if len(value) < HEADER_BYTES:
        raise UnreadableValueError(f"expected a header of {HEADER_BYTES} bytes, found {len(value)} bytes in all")
    schema_id = int.from_bytes(value[1:HEADER_BYTES], "big")
    if schema_id > MAX_SCHEMA_ID:
        raise UnreadableValueError(f"expected the id of a schema up to {MAX_SCHEMA_ID}, found a greater one")
    return schema_id


def message_indexes(value: bytes) -> tuple[tuple[int, ...], int]:
    """Return which message of a Protobuf schema a value holds, and where its bytes begin.

    Returns:
        The place of the message in its file, then in the message that it is declared in, and so on; and an offset.

    Raises:
        UnreadableValueError: there are no such indexes behind the header.
    """
    count, at = _zigzag(value, HEADER_BYTES)
    if count == 0:
        # Short for the first message of the file.
        return (0,), at
    if not 0 < count <= MAX_INDEXES:
        raise UnreadableValueError(f"expected up to {MAX_INDEXES} message indexes, found another number of them")
    indexes = []
    for _ in range(count):
        index, at = _zigzag(value, at)
        indexes.append(index)
    return tuple(indexes), at


def _zigzag(value: bytes, at: int) -> tuple[int, int]:
    """Return a signed variable-length integer, and the offset behind it."""
    number = 0
    for place, byte in enumerate(value[at : at + _MAX_VARINT_BYTES]):
        number |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), at + place + 1
    raise UnreadableValueError("expected message indexes of Protobuf behind the header, found something else")
