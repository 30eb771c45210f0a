"""The signature of a review's text: a few bytes by which two nearly equal texts are told, and no text can be read back.

Random hyperplanes turn a projected embedding into bits (Charikar 2002, "Similarity estimation techniques from rounding
algorithms"): two vectors at an angle differ, in expectation, in angle / pi of them, however many bits there are.
"""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import NDArray

HASH_BYTES: Final = 16
"""Bytes of the hash, eight hyperplanes in each."""
SIGNATURE_BYTES: Final = HASH_BYTES + 2
"""Length of a signature: the hash, behind a byte of the encoder's and one of the text's length."""

LEAST_TEXT_BYTES: Final = 36
"""UTF-8 bytes of a text from which on its likeness says something: people say "good" and "very good" alike."""

MOST_BITS: Final = 20
"""Bits, of 128, in which two signatures may differ and still be of nearly equal texts."""

_WIDTH: Final = 64
_LENGTH_UNIT: Final = 4
_SEED: Final = 20_261_129


def signature(projected: NDArray[np.float64] | None, text: str, encoder: str) -> bytes:
    """Return the signature of a text.

    Args:
        projected: float64[64], its projected embedding; None for one that says nothing.
        text: as it came; only its length is used.
        encoder: identity of the model that made the vector: signatures of two are never alike.

    Returns:
        `SIGNATURE_BYTES` bytes; none for a text that says nothing.
    """
    if projected is None:
        return b""
    length = min(255, len(text.encode()) // _LENGTH_UNIT)
    bits = np.packbits(_hyperplanes() @ projected > 0.0)
    return blake2b(encoder.encode(), digest_size=1).digest() + bytes([length]) + bits.tobytes()


def says_enough(signed: bytes) -> bool:
    """Whether a signature is of a text that is long enough for its likeness to say something."""
    return len(signed) == SIGNATURE_BYTES and signed[1] * _LENGTH_UNIT >= LEAST_TEXT_BYTES


def alike(one: bytes, other: bytes) -> bool:
    """Whether two signatures are of nearly equal texts, both long enough and read by one encoder."""
    if not (says_enough(one) and says_enough(other)) or one[0] != other[0]:
        return False
    return (int.from_bytes(one[2:]) ^ int.from_bytes(other[2:])).bit_count() <= MOST_BITS


@cache
def _hyperplanes() -> NDArray[np.float64]:
    """Return the normals of the hyperplanes: float64 [128, 64]."""
    return np.random.default_rng(_SEED).standard_normal((HASH_BYTES * 8, _WIDTH))
