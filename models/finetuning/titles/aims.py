"""What embeddings of titles are to tell: who belongs together, and the projection that tells it best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.finetuning.titles.association import Numbers, association, factors, taken
from models.finetuning.titles.purchases import Pairs, Purchases
from models.profile import WIDTH, Projection


@dataclass(frozen=True, eq=False)
class Aims:
    """What some purchases say of n titles. No label of any shopper is in it.

    Attributes:
        information: float32[n, n], the association of every two.
        factors: float64[n, k], those behind it.
        frequencies: int64[n], the lines of each.
    """

    information: NDArray[np.float32]
    factors: Numbers
    frequencies: NDArray[np.int64]

    @classmethod
    def of(cls, purchases: Purchases, pairs: Pairs) -> Self:
        """Learn from purchases which titles belong together.

        Raises:
            FinetuningError: no two titles were bought together, or there are fewer than three.
        """
        information = association(taken(purchases.groups(pairs), purchases.title, len(purchases.titles)))
        return cls(information, factors(information, WIDTH), purchases.frequencies)

    def projection(self, embeddings: Numbers) -> Projection:
        """Return P, led from embeddings to the factors; every title weighs as many lines as it has.

        Args:
            embeddings: float64[n, dimension], of the titles.
        """
        return Projection.towards(embeddings, self.factors, self.frequencies)
