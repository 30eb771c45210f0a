"""The last reviews of an item, as few bytes each: what risk is told from, in any order of arrival the same.

They are joined bytes, one entry of a fixed length a review, its time first and big-endian: bytes sort by time. As one
object they cost an item that nobody reviews as good as nothing.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from typing import Final, NamedTuple

from features.exceptions import StateFormatError
from features.items.review_signature import SIGNATURE_BYTES
from features.observation import MICRO
from features.tiles import DAY, HOUR

REMEMBERED_REVIEWS: Final = 48
"""How many reviews are remembered: the newest by time, and of one time the greatest bytes."""

KEPT: Final = 180 * DAY
"""How long before the newest review one is remembered, ms: as the past that the newest are told against."""

SIGNED: Final = 30 * DAY + HOUR
"""How long before the newest review the signature of one is kept, ms: no texts further back are compared."""

_ENTRY: Final = struct.Struct(f">QBbB{SIGNATURE_BYTES}s")
ENTRY_BYTES: Final = _ENTRY.size

_STEPS: Final = 50
"""Steps in one unit of rating."""
_POLARITIES: Final = 127
"""Steps of polarity on either side of 0."""
_NO_POLARITY: Final = -128
_NEW: Final = 1
_WORDS: Final = 2
_NO_WORDS: Final = bytes(SIGNATURE_BYTES)
# Times before 1970 sort below later ones too.
_EPOCH: Final = 1 << 63


class Remembered(NamedTuple):
    """One review.

    Attributes:
        timestamp: ms.
        rating: 1..5, in steps of 1/50.
        polarity: -1..1, in steps of 1/127; None where none is known.
        new_reviewer: whether its writer was new to us.
        signature: of its text (`features.items.review_signature`); none of one that says nothing.
    """

    timestamp: int
    rating: float
    polarity: float | None
    new_reviewer: bool
    signature: bytes


class ReviewMemory:
    """The last reviews of one item.

    Attributes:
        joined: their bytes, which `ReviewMemory(joined)` takes back.

    Raises:
        StateFormatError: the bytes are not whole entries, or are too many.
    """

    __slots__ = ("joined",)

    def __init__(self, joined: bytes = b"") -> None:
        if len(joined) % ENTRY_BYTES or len(joined) > REMEMBERED_REVIEWS * ENTRY_BYTES:
            raise StateFormatError(
                f"expected at most {REMEMBERED_REVIEWS} remembered reviews of {ENTRY_BYTES} bytes, found "
                f"{len(joined)} bytes: run the release that wrote them, or a later one"
            )
        self.joined = joined

    def add(self, timestamp: int, rating: int, polarity: int | None, new_reviewer: bool, signature: bytes) -> None:
        """Remember a review, unless it is too old or older than all that there is room for.

        Args:
            timestamp: of its fact, ms.
            rating: micro-units, 1..5 million.
            polarity: micro-units, -1..1 million; None where none is known.
            new_reviewer: whether its writer was new to us.
            signature: of its text; none of one that says nothing.
        """
        entry = _ENTRY.pack(
            timestamp + _EPOCH,
            round(min(max(rating, MICRO), 5 * MICRO) * _STEPS / MICRO),
            _NO_POLARITY if polarity is None else round(min(max(polarity, -MICRO), MICRO) * _POLARITIES / MICRO),
            _NEW * new_reviewer + _WORDS * bool(signature),
            # One of another length is of another release, and is like none of ours.
            signature if len(signature) == SIGNATURE_BYTES else _NO_WORDS,
        )
        joined = self.joined
        place = bisect_right(range(len(joined) // ENTRY_BYTES), entry, key=self._entry) * ENTRY_BYTES
        self.joined = (joined[:place] + entry + joined[place:])[-REMEMBERED_REVIEWS * ENTRY_BYTES :]
        newest = _ENTRY.unpack_from(self.joined, len(self.joined) - ENTRY_BYTES)[0]
        kept, signed = (self._place_of(max(0, newest - age).to_bytes(8)) for age in (KEPT, SIGNED))
        self.joined = self._unsigned(kept, signed) + self.joined[signed:]

    def _unsigned(self, first: int, end: int) -> bytes:
        """Return the entries between two places without what their texts were."""
        cut = ENTRY_BYTES - SIGNATURE_BYTES
        return b"".join(self.joined[at : at + cut] + _NO_WORDS for at in range(first, end, ENTRY_BYTES))

    def before(self, upper: int) -> tuple[int, int | None]:
        """Return how many reviews were before a time (ms), and since when they all are known.

        Returns:
            The number; and ms, None where no review was pushed out by newer ones. The review of that very time, which
            says when the count begins, is not counted.
        """
        found = self._place_of(max(0, upper + _EPOCH).to_bytes(8)) // ENTRY_BYTES
        if len(self.joined) < REMEMBERED_REVIEWS * ENTRY_BYTES:
            return found, None
        return max(0, found - 1), _ENTRY.unpack_from(self.joined)[0] - _EPOCH

    def forget_polarities(self) -> None:
        """Forget what another head than the present one thought of the texts."""
        kept = [_ENTRY.unpack_from(self.joined, at) for at in range(0, len(self.joined), ENTRY_BYTES)]
        entries = (_ENTRY.pack(when, rating, _NO_POLARITY, flags, text) for when, rating, _, flags, text in kept)
        self.joined = b"".join(sorted(entries))

    def since(self, lower: int) -> list[Remembered]:
        """Return the reviews from a time on (ms), the oldest first."""
        found = []
        for when, rating, polarity, flags, signed in _ENTRY.iter_unpack(self.joined):
            if when - _EPOCH >= lower:
                known = None if polarity == _NO_POLARITY else polarity / _POLARITIES
                text = signed if flags & _WORDS else b""
                found.append(Remembered(when - _EPOCH, rating / _STEPS, known, bool(flags & _NEW), text))
        return found

    def _place_of(self, prefix: bytes) -> int:
        """Return where the first entry stands that is not below some first bytes."""
        return bisect_left(range(len(self.joined) // ENTRY_BYTES), prefix, key=self._entry) * ENTRY_BYTES

    def _entry(self, number: int) -> bytes:
        return self.joined[number * ENTRY_BYTES : (number + 1) * ENTRY_BYTES]
