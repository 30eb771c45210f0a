"""The signature of a review's text: a few bytes by which two nearly equal texts are told.

No text can be read back from it; whoever guesses a text can check the guess.

MinHash over the text's sequences of three letters (Broder 1997, "On the resemblance and containment of documents"): of
two texts, each hash agrees with the probability of their Jaccard similarity. One byte is kept of each hash (Li and
König 2010, "b-bit minwise hashing"). Beside it, bits of the encoder's embedding were measured: at as many bytes and as
many false alarms they find fewer light rewrites, and of Chinese hardly any (docs/report/risk.md).
"""

from __future__ import annotations

import unicodedata
from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import NDArray

HASHES: Final = 16
"""Hashes of a signature, a byte each."""
SIGNATURE_BYTES: Final = 1 + HASHES
"""Length of a signature: the hashes, behind a byte for how long the text is."""

LEAST_TEXT_BYTES: Final = 30
"""UTF-8 bytes of a text's letters from which on its likeness says something: many say "good", and "very good" too."""

LEAST_EQUAL: Final = 6
"""Hashes, of 16, that two nearly equal texts have in common at least."""

_LETTERS: Final = 3
_READ_CHARACTERS: Final = 1024
_UNIT: Final = np.uint64(0x9E3779B97F4A7C15)
_HALF: Final = np.uint64(32)


def _multiplier(number: int) -> int:
    return int.from_bytes(blake2b(number.to_bytes(2), digest_size=8).digest()) | 1


# From a hash rather than a generator, whose numbers may change with its library: signatures are stored.
_MULTIPLIERS: Final = np.array([_multiplier(number) for number in range(HASHES)], dtype=np.uint64)[:, None]


def signature(text: str) -> bytes:
    """Return the signature of a text: `SIGNATURE_BYTES` bytes, none of one without a letter or digit.

    Marks, emojis, spaces and case do not count, and neither does what follows the first 1,024 characters.
    """
    folded = unicodedata.normalize("NFKC", text[:_READ_CHARACTERS]).casefold()
    letters = "".join(filter(str.isalnum, folded))
    if not letters:
        return b""
    length = min(255, len(letters.encode()))
    hashed = _shingles(letters) * _MULTIPLIERS
    least: NDArray[np.uint64] = (hashed ^ hashed >> _HALF).min(axis=1)
    return bytes((length, *least.astype(np.uint8).tolist()))


def says_enough(signed: bytes) -> bool:
    """Whether a signature is of a text that is long enough for its likeness to say something."""
    return len(signed) == SIGNATURE_BYTES and signed[0] >= LEAST_TEXT_BYTES


def equal_hashes(signatures: list[bytes]) -> NDArray[np.int64]:
    """Return how many hashes each pair of signatures has in common: int64 [n, n]."""
    hashes = np.frombuffer(b"".join(signatures), np.uint8).reshape(-1, SIGNATURE_BYTES)[:, 1:]
    equal: NDArray[np.int64] = (hashes[:, None] == hashes[None]).sum(axis=2, dtype=np.int64)
    return equal


def _shingles(letters: str) -> NDArray[np.uint64]:
    """Return a hash of each sequence of three letters, all of a shorter text being one: uint64 [n]."""
    codes = np.frombuffer(letters.encode("utf-32-le"), np.uint32).astype(np.uint64)
    count = max(1, len(codes) - _LETTERS + 1)
    hashed = np.zeros(count, np.uint64)
    for place in range(min(_LETTERS, len(codes))):
        hashed = (hashed + codes[place : place + count]) * _UNIT
        hashed ^= hashed >> _HALF
    return hashed
