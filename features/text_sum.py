"""The decayed sum of projected texts behind the profile vector.

`profile_vector = unit(sum over texts of weight x 2^(-(T - t) / H) x P e)`, H = 14 days. The factor
2^(-T/H) is common to every term, so T cancels in the unit vector; the sum is kept relative to the newest
weighted text, where no term can overflow, and the order of arrival changes only the last bits of a float64.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.catalogue import PROFILE_WIDTH
from features.tiles import DAY

HALF_LIFE: Final = 14 * DAY
"""Time in which a text's weight halves, ms."""


class DecayedSum(msgspec.Struct, frozen=True, gc=False):
    """A float64[64] sum, None for that of nothing, relative to the time of its newest term (`reference`, ms)."""

    reference: int = 0
    total: NDArray[np.float64] | None = None

    def plus(self, timestamp: int, weight: float, vector: NDArray[np.float64]) -> DecayedSum:
        """Return the sum with `weight * vector` (float64[64]) of a text of `timestamp` (ms) added."""
        if self.total is None:
            return DecayedSum(timestamp, vector * weight)
        if timestamp > self.reference:
            return DecayedSum(timestamp, self.total * _fade(timestamp - self.reference) + vector * weight)
        return DecayedSum(self.reference, self.total + vector * (weight * _fade(self.reference - timestamp)))

    def unit(self) -> NDArray[np.float32]:
        """Return the sum at unit length as float32[64]; zeros when there is none."""
        if self.total is None:
            return np.zeros(PROFILE_WIDTH, np.float32)
        length = float(np.linalg.norm(self.total))
        if length == 0.0:
            return np.zeros(PROFILE_WIDTH, np.float32)
        return (self.total / length).astype(np.float32)


NO_TEXTS: Final = DecayedSum()


def _fade(age: int) -> float:
    return float(2.0 ** (-age / HALF_LIFE))
