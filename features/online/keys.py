"""Feast's entity keys as bytes, by hand: version 3, of one join key that holds a string.

Format: `feast/infra/key_encoding_utils.py`.
"""

from __future__ import annotations

import struct
from typing import Final

_STRING_TYPE: Final = 2
_LENGTH: Final = struct.Struct("<I")


class EntityKeys:
    """The keys of one entity.

    Args:
        join_key: what they are called, such as `user_id`.

    Attributes:
        prefix: what all of them begin with.
    """

    __slots__ = ("prefix",)

    def __init__(self, join_key: str) -> None:
        name = join_key.encode()
        self.prefix = struct.pack(f"<III{len(name)}sI", 1, _STRING_TYPE, len(name), name, _STRING_TYPE)

    def encode(self, key: str) -> bytes:
        """Return the bytes of a key."""
        encoded = key.encode()
        return self.prefix + _LENGTH.pack(len(encoded)) + encoded

    def decode(self, encoded: bytes) -> str | None:
        """Return the key that `encode` made these bytes of; None where they are no key of this entity."""
        start = len(self.prefix) + _LENGTH.size
        if len(encoded) < start or not encoded.startswith(self.prefix):
            return None
        if _LENGTH.unpack_from(encoded, len(self.prefix)) != (len(encoded) - start,):
            return None
        return encoded[start:].decode(errors="replace")
