"""The bytes of a state, whichever entity it is of, as the changelog and the local store hold them.

Layout: one version byte, `epoch` and `sequence` as big-endian unsigned 64-bit integers (so that two states can be
ordered without decoding either), then a MessagePack array.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Final, Generic, TypeVar

import msgspec

from features.exceptions import StateFormatError

_HEADER: Final = struct.Struct(">BQQ")
_BODY: Final = _HEADER.size
_LARGEST: Final = 2**63 - 1

_pack_header: Final = _HEADER.pack
_pack_body: Final = msgspec.msgpack.Encoder().encode
_unpack_header: Final = _HEADER.unpack_from
_any_decoder: Final = msgspec.msgpack.Decoder(list[Any])
_parts_decoder: Final = msgspec.msgpack.Decoder(list[msgspec.Raw])

B = TypeVar("B", bound=msgspec.Struct)
P = TypeVar("P")

# Text that is no UTF-8 is told of by an error that is none of msgspec's.
_UNDECODABLE: Final = (msgspec.DecodeError, UnicodeDecodeError)


class StateFormat(Generic[B]):
    """How the states of one entity are written, and which are read.

    Args:
        entity: `user` or `item`, for messages.
        version: of what is written.
        oldest: the oldest version that is read.
        body: the fields in their order; those with a default came with a later version.
    """

    def __init__(self, entity: str, version: int, oldest: int, body: type[B]) -> None:
        self._what = f"the state of {'an' if entity[0] in 'aeio' else 'a'} {entity}"
        self._read = tuple(range(oldest, version + 1))
        self._fields = body.__struct_fields__
        self._most = len(self._fields)
        self._fewest = self._most - len(body.__struct_defaults__)
        self._decode = msgspec.msgpack.Decoder(body).decode

    def decoded(self, data: bytes) -> tuple[int, int, B]:
        """Return epoch, sequence and fields of encoded state.

        Raises:
            StateFormatError: the bytes are damaged, or of a version this program does not read, or hold a field that
                it does not know.
        """
        if len(data) < _BODY or data[0] not in self._read:
            raise self._not_read(data)
        _, epoch, sequence = _unpack_header(data)
        try:
            return epoch, sequence, self._decode(memoryview(data)[_BODY:])
        except _UNDECODABLE as error:
            raise self._unreadable(data, error) from error

    def order(self, data: bytes) -> tuple[int, int]:
        """Return (epoch, sequence) of encoded state: of two states of a key, the greater is the later one.

        Raises:
            StateFormatError: the bytes are damaged, or of a version this program does not read.
        """
        _, epoch, sequence = self._header(data)
        return epoch, sequence

    def prefix(self, data: bytes, decoder: msgspec.msgpack.Decoder[P]) -> P:
        """Return the first fields of encoded state, by a decoder of a struct of these.

        Raises:
            StateFormatError: as `order`.
        """
        self._header(data)
        try:
            return decoder.decode(memoryview(data)[_BODY:])
        except _UNDECODABLE as error:
            raise self._damaged(error) from error

    def field(self, data: bytes, name: str) -> bytes | None:
        """Return a field of encoded state as its bytes; None where it was not known yet.

        Raises:
            StateFormatError: as `decoded`.
        """
        _, parts = self._parts(data)
        place = self._fields.index(name)
        return bytes(parts[place]) if place < len(parts) else None

    def replaced(self, data: bytes, epoch: int, fields: Mapping[str, Any]) -> bytes:
        """Return encoded state with other values of some fields and an epoch of at least the given one.

        The rest stays byte for byte, its version included.

        Raises:
            StateFormatError: as `decoded`.
        """
        (version, before, sequence), parts = self._parts(data)
        for name, value in fields.items():
            parts[self._fields.index(name)] = msgspec.Raw(_pack_body(value))
        return _pack_header(version, max(before, epoch), sequence) + _pack_body(parts)

    def without(self, data: bytes, *names: str) -> bytes:
        """Return encoded state of epoch 0 and without some fields, to be compared.

        Raises:
            StateFormatError: as `decoded`.
        """
        (version, _, sequence), parts = self._parts(data)
        left = {self._fields.index(name) for name in names}
        kept = [part for place, part in enumerate(parts) if place not in left]
        return _pack_header(version, 0, sequence) + _pack_body(kept)

    def _parts(self, data: bytes) -> tuple[tuple[int, int, int], list[msgspec.Raw]]:
        """Return the header, and the fields of the body, each as its bytes."""
        header = self._header(data)
        try:
            parts = _parts_decoder.decode(memoryview(data)[_BODY:])
        except _UNDECODABLE as error:
            raise self._unreadable(data, error) from error
        if not self._fewest <= len(parts) <= self._most:
            raise self._of_fields(len(parts))
        return header, parts

    def _header(self, data: bytes) -> tuple[int, int, int]:
        if len(data) < _BODY or data[0] not in self._read:
            raise self._not_read(data)
        version, epoch, sequence = _unpack_header(data)
        return version, epoch, sequence

    def _not_read(self, data: bytes) -> StateFormatError:
        if len(data) < _BODY:
            return StateFormatError(f"expected {self._what}, found only {len(data)} bytes")
        expected = " to ".join(map(str, sorted({self._read[0], self._read[-1]})))
        return StateFormatError(
            f"expected state of version {expected}, found {self._what} of version {data[0]}: "
            "run the release that wrote it, or a later one"
        )

    def _unreadable(self, data: bytes, error: Exception) -> StateFormatError:
        try:
            found = len(_any_decoder.decode(memoryview(data)[_BODY:]))
        except _UNDECODABLE:
            found = 0
        return self._of_fields(found) if found > self._most else self._damaged(error)

    def _damaged(self, error: Exception) -> StateFormatError:
        return StateFormatError(f"expected {self._what}, found damaged bytes: {error}")

    def _of_fields(self, found: int) -> StateFormatError:
        if found < self._fewest:
            return StateFormatError(f"expected {self._what}, found damaged bytes: {found} fields")
        return StateFormatError(
            f"expected state of at most {self._most} fields, found {found}: "
            "run the release that wrote it, or a later one"
        )


def packed(version: int, epoch: int, sequence: int, body: list[Any]) -> bytes:
    """Return encoded state, from the list of its fields.

    A list in the order of a struct is the same MessagePack, and takes half the time of making the struct.
    """
    header = _pack_header(version, epoch, sequence)
    try:
        return header + _pack_body(body)
    except OverflowError:
        # MessagePack holds no integer past 64 bits.
        return header + _pack_body([_widened(field) for field in body])


def _widened(field: Any) -> Any:
    if isinstance(field, list):
        return [_widened(part) for part in field]
    return str(field) if isinstance(field, int) and field > _LARGEST else field
