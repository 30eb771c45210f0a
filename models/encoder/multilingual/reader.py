"""Bytes in order, little-endian, from a file that is not trusted to be whole."""

from __future__ import annotations

import struct
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from models.exceptions import EncoderLoadError

_REMEDY: Final = "install the package that brings it anew"


def damaged(expected: str, found: object) -> EncoderLoadError:
    """Return the error about bytes that the file should hold and does not."""
    return EncoderLoadError(f"4-bit weights: expected {expected}, found {found}: {_REMEDY}")


class Reader:
    """A position in bytes that only moves forward, and never past the end.

    Args:
        data: the whole file.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def take(self, count: int, what: str) -> bytes:
        """Return the next `count` bytes.

        Raises:
            EncoderLoadError: there are fewer.
        """
        return self.at(self._advance(count, what), count, what)

    def numbers(self, layout: str, what: str) -> tuple[Any, ...]:
        """Return the next numbers of a `struct` layout, packed without gaps.

        Raises:
            EncoderLoadError: the file ends before.
        """
        packed = struct.Struct("<" + layout)
        return packed.unpack_from(self._data, self._advance(packed.size, what))

    def array(self, dtype: DTypeLike, count: int, what: str) -> NDArray[Any]:
        """Return a view of the next `count` elements.

        Raises:
            EncoderLoadError: there are fewer.
        """
        start = self._advance(count * np.dtype(dtype).itemsize, what)
        return np.frombuffer(self._data, dtype, count, start)

    def at(self, offset: int, count: int, what: str) -> bytes:
        """Return `count` bytes from an absolute offset, without moving.

        Raises:
            EncoderLoadError: they do not all lie in the file.
        """
        self._inside(offset, count, what)
        return self._data[offset : offset + count]

    def _advance(self, count: int, what: str) -> int:
        start = self._position
        self._inside(start, count, what)
        self._position = start + count
        return start

    def _inside(self, offset: int, count: int, what: str) -> None:
        if count < 0 or offset + count > len(self._data):
            raise damaged(f"{what} ({count:,} bytes at {offset:,})", f"a file of {len(self._data):,} bytes")
