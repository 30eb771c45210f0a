"""A digest of a table of users that does not depend on the order of its rows, nor on their partitions."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

_BYTES: Final = 16
_MODULUS: Final = 1 << 8 * _BYTES


class TableDigest:
    """The number of rows, and the sum of their digests.

    A sum and not an exclusive or: of that, two equal rows would cancel.

    Attributes:
        rows: added so far.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0

    def add(self, key: bytes, value: bytes) -> None:
        """Take in a row."""
        # The length parts the key from the value, so that no byte can move between them.
        row = blake2b(len(key).to_bytes(4, "big") + key + value, digest_size=_BYTES).digest()
        self.rows += 1
        self._sum = (self._sum + int.from_bytes(row, "big")) % _MODULUS

    @property
    def hexdigest(self) -> str:
        """The digest in 32 hexadecimal digits."""
        return self._sum.to_bytes(_BYTES, "big").hex()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TableDigest):
            return NotImplemented
        return (self.rows, self._sum) == (other.rows, other._sum)

    __hash__ = None  # type: ignore[assignment]
