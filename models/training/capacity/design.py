"""The columns that a fit of capacity weighs: scalars, vectors or both, on one scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.profile import WIDTH
from models.scoring.capacity import VECTORS
from models.scoring.kinds.linear import LinearModel
from models.scoring.standardising import Standardiser, varying
from models.training.capacity.people import People

Vector = NDArray[np.float64]

PARTS: Final = ("behaviour", "text", "both")
"""What a fit may read: the scalars, the vectors, or all of them."""

TEXT_SHARES: Final = (0.25, 1.0, 4.0, 16.0)
"""How many times as great the penalty of the vectors' weights may be, per standard deviation of an element."""

WINDOW_POWERS: Final = (0.0, 1.0)
"""The powers of YEAR_DAYS / window by which the penalty of a window's scalar may grow."""

YEAR_DAYS: Final = 365.25

_LEAST_SPREAD: Final = 1e-9
"""Below it, the elements of unit vectors differ by rounding alone."""


@dataclass(frozen=True)
class Blend:
    """In which proportion the columns are held back.

    Attributes:
        text_share: how many times as much as a lifetime's scalars the vectors are penalised.
        window_power: the power of a year over the window, by which a window's scalars are. What is counted in a window
            is a sample of a habit, and the variance of its chance falls with its length: that is the power 1.
    """

    text_share: float
    window_power: float


class Design:
    """The columns that a fit weighs: standardised scalars, and vectors brought to the scalars' scale as a block.

    Means and scales are those of all users, labelled or not: labels are few, and these need none. A vector's elements
    keep their proportions, for an element that varies little says little.

    Attributes:
        names: the scalars that vary; none without behaviour.
        kept: int64 [s], their places among all of them.
        matrix: float64 [n, s + t], with the t elements of the vectors that vary; none without text.
        blends: those worth trying.
    """

    def __init__(self, people: People, part: str) -> None:
        varies = varying(people.names, people.values, people.transforms) & (part != "text")
        self.kept = np.flatnonzero(varies)
        self.names = tuple(people.names[place] for place in self.kept.tolist())
        values = people.values[:, self.kept]
        self._standardiser = Standardiser.fit(self.names, values, people.transforms)
        spread = people.vectors.std(axis=0)
        # Whoever has no searches or no titles has a vector of zeros, which would cost time for nothing.
        self._elements = np.flatnonzero((spread > _LEAST_SPREAD) & (part != "behaviour"))
        self._scale = 1 / float(np.sqrt(np.square(spread[self._elements]).mean())) if self._elements.size else 1.0
        text = people.vectors[:, self._elements] * self._scale
        self.matrix = np.hstack([self._standardiser.apply(values), text])
        spans = [people.windows.get(name) for name in self.names]
        self._brevity = np.array([1.0 if days is None else YEAR_DAYS / days for days in spans])
        shares = TEXT_SHARES if self.names and self._elements.size else (1.0,)
        powers = WINDOW_POWERS if any(spans) else (0.0,)
        self.blends = tuple(Blend(share, power) for power in powers for share in shares)

    def factors(self, blend: Blend) -> Vector:
        """Return what each column is multiplied with, so that one penalty for all is that of the blend."""
        factors = np.full(self.matrix.shape[1], 1 / np.sqrt(blend.text_share))
        factors[: len(self.names)] = self._brevity ** (-blend.window_power / 2)
        return factors

    def model(self, weights: Vector, intercept: float) -> LinearModel:
        """Return the model of these weights of the columns of `matrix`."""
        scalars = len(self.names)
        text = np.zeros(WIDTH * len(VECTORS))
        text[self._elements] = weights[scalars:] * self._scale
        return LinearModel(
            standardiser=self._standardiser,
            weights=weights[:scalars].copy(),
            vector_weights=text,
            intercept=intercept,
            vectors=VECTORS,
        )
