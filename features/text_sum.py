"""The decayed sum of projected texts behind a user's vector: what was written, or the titles of what was clicked.

`vector = unit(sum over texts of weight x 2^(-(T - t) / H) x P e)`. The factor 2^(-T/H) is common to every term, so T
cancels in the unit vector; the sum is kept relative to the newest weighted text, where no term can overflow, and the
order of arrival changes only the last bits of a float64.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.tiles import DAY

PROFILE_WIDTH: Final = 64
"""Width of every vector of texts, in elements: what a projection makes of an embedding."""
PROFILE_HALF_LIFE: Final = 14 * DAY
"""H of the profile vector, ms: what was written."""
TASTE_HALF_LIFE: Final = 60 * DAY
"""H of the taste vector, ms: the titles of what was clicked."""


class DecayedSum(msgspec.Struct, frozen=True, gc=False):
    """A sum of terms that fade.

    Attributes:
        half_life: time in which a term halves, ms.
        reference: time of the newest term, ms, which the sum is relative to.
        total: float64[64]; None for the sum of nothing.
    """

    half_life: int
    reference: int = 0
    total: NDArray[np.float64] | None = None

    def plus(self, timestamp: int, weight: float, vector: NDArray[np.float64]) -> DecayedSum:
        """Return the sum with `weight * vector` (float64[64]) of a text of `timestamp` (ms) added."""
        if self.total is None:
            return DecayedSum(self.half_life, timestamp, vector * weight)
        if timestamp > self.reference:
            faded = self.total * self._fade(timestamp - self.reference)
            return DecayedSum(self.half_life, timestamp, faded + vector * weight)
        faded = vector * (weight * self._fade(self.reference - timestamp))
        return DecayedSum(self.half_life, self.reference, self.total + faded)

    def unit(self) -> NDArray[np.float32]:
        """Return the sum at unit length as float32[64]; zeros when there is none."""
        if self.total is None:
            return np.zeros(PROFILE_WIDTH, np.float32)
        length = float(np.linalg.norm(self.total))
        if length == 0.0:
            return np.zeros(PROFILE_WIDTH, np.float32)
        return (self.total / length).astype(np.float32)

    def _fade(self, age: int) -> float:
        return float(2.0 ** (-age / self.half_life))


NO_TEXTS: Final = DecayedSum(PROFILE_HALF_LIFE)
NO_TITLES: Final = DecayedSum(TASTE_HALF_LIFE)
