"""The reasons for a prediction: the largest contributions, and the sum of all the rest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

REASONS: Final = 5
OTHER_REASON: Final = "other"


@dataclass(frozen=True, eq=False, kw_only=True)
class Explained:
    """Predictions of n users as sums of what each feature adds, in the order they were passed.

    Attributes:
        intercept: the prediction before any feature contributes.
        names: of the columns of `contributions`; the vectors come last.
        contributions: float64 [n, k + v].
        attribution: how they were divided; `exact` where the model is a sum of such terms.
    """

    intercept: float
    names: tuple[str, ...]
    contributions: NDArray[np.float64]
    attribution: str

    def reasons(self, i: int) -> list[tuple[str, float]]:
        """Explain the prediction of user i.

        Returns:
            The five largest contributions by magnitude, signed, the greatest first (equal ones in the
            order of the names), then `other`, the sum of all the rest. Together with the intercept they
            sum to the prediction.
        """
        columns, values, rest = self._largest
        reasons = [(self.names[column], value) for column, value in zip(columns[i], values[i], strict=True)]
        reasons.append((OTHER_REASON, rest[i]))
        return reasons

    @cached_property
    def _largest(self) -> tuple[list[list[int]], list[list[float]], list[float]]:
        order = np.argsort(-np.abs(self.contributions), axis=1, kind="stable")
        columns, others = order[:, :REASONS], order[:, REASONS:]
        values = np.take_along_axis(self.contributions, columns, axis=1)
        rest = np.take_along_axis(self.contributions, others, axis=1).sum(axis=1)
        return columns.tolist(), values.tolist(), rest.tolist()
