"""A bounded memory of keys: exact while they are few, a fair sample of them beyond."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

MOST: Final = 250_000
"""Keys that are remembered: some 30 MB."""


class Sample:
    """Remembers a number for each key, or for every 2nd, 4th, 8th... key once there are too many.

    Which keys are left depends on the keys alone, so every occurrence of a key that is left is seen.

    Args:
        most: keys that are remembered.

    Attributes:
        scale: the number of keys that one remembered key stands for.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._held: dict[int, int] = {}
        self.scale = 1

    def known(self, key: int, value: int) -> int | None:
        """Return the number of a key that came before; else remember `value` for it, if it is in the sample.

        Args:
            key: made by `key_of`.
            value: any number.
        """
        if key % self.scale:
            return None
        before = self._held.get(key)
        if before is None:
            self._held[key] = value
            if len(self._held) > self._most:
                self.scale *= 2
                self._held = {kept: number for kept, number in self._held.items() if kept % self.scale == 0}
        return before

    def __len__(self) -> int:
        """The number of different keys; an estimate if `scale` is over 1."""
        return len(self._held) * self.scale


def key_of(*parts: str) -> int:
    """Return 64 bits that stand for texts, in their order."""
    return int.from_bytes(blake2b(repr(parts).encode(), digest_size=8).digest(), "little")
