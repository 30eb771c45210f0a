"""What was made of the texts seen last, so that a text that returns costs no forward pass."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from typing import Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

Vector: TypeAlias = NDArray[np.float32]
V = TypeVar("V")


def text_key(text: str) -> bytes:
    """Digest a cleaned text to the 128-bit BLAKE2b key it is known by, so that no text is kept."""
    # A lone surrogate must reach the encoder and be rejected there by itself, not break its request here.
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class EmbeddingCache(Generic[V]):
    """A least-recently-used map from text key to what was made of the text, bounded by count.

    50,000 float32 vectors of 384 elements take about 90 MB.

    Args:
        capacity: the most values held; 0 holds none.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._values: OrderedDict[bytes, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: bytes) -> V | None:
        """Return the value of a key and mark it as used, or None."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: bytes, value: V) -> None:
        """Hold a value, and let go of the one unused longest when there are too many."""
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._capacity:
            self._values.popitem(last=False)

    def clear(self) -> None:
        """Let go of all."""
        self._values.clear()
