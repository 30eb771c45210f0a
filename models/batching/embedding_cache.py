"""Embeddings of the texts seen last, so that a text that returns costs no forward pass."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Vector: TypeAlias = NDArray[np.float32]


def text_key(text: str) -> bytes:
    """Digest a cleaned text to the 128-bit BLAKE2b key it is known by, so that no text is kept."""
    # A lone surrogate must reach the encoder and be rejected there by itself, not break its request here.
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class EmbeddingCache:
    """A least-recently-used map from text key to embedding, bounded by count.

    50,000 float32 vectors of 384 elements take about 90 MB.

    Args:
        capacity: the most vectors held; 0 holds none.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._vectors: OrderedDict[bytes, Vector] = OrderedDict()

    def __len__(self) -> int:
        return len(self._vectors)

    def get(self, key: bytes) -> Vector | None:
        """Return the vector of a key and mark it as used, or None."""
        vector = self._vectors.get(key)
        if vector is not None:
            self._vectors.move_to_end(key)
        return vector

    def put(self, key: bytes, vector: Vector) -> None:
        """Hold a vector, and let go of the one unused longest when there are too many."""
        self._vectors[key] = vector
        self._vectors.move_to_end(key)
        if len(self._vectors) > self._capacity:
            self._vectors.popitem(last=False)

    def clear(self) -> None:
        """Let go of all."""
        self._vectors.clear()
