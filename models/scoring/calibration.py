"""From a prediction in log-money to the mean money it stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from models.exceptions import ArtefactError, InvalidInputError

MAXIMUM_KNOTS: Final = 256
# The mean of fewer rows says little where one row in a hundred spends ten times the mean.
_SMALLEST_BLOCK_ROWS: Final = 10


@dataclass(frozen=True, eq=False)
class Calibration:
    """A non-decreasing map from prediction to mean money, linear between knots, constant beyond them.

    exp(prediction) - 1 would fall short of it (Jensen 1906): a few great amounts weigh more in a mean of
    money than in a mean of its logarithm. A consumer adds money up, so the mean is measured.

    Attributes:
        x: float64 [m], predictions, strictly increasing; 1 <= m <= 256.
        y: float64 [m], money, >= 0, non-decreasing.

    Raises:
        ArtefactError: knots that are none of this.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.x.ndim != 1 or self.x.shape != self.y.shape or not 1 <= self.x.size <= MAXIMUM_KNOTS:
            raise ArtefactError(
                f"calibration: expected 1 to {MAXIMUM_KNOTS} knots, as many x as y, found "
                f"{self.x.size} and {self.y.size}; train the artefact again"
            )
        if not (np.isfinite(self.x).all() and np.isfinite(self.y).all()):
            raise ArtefactError("calibration: expected finite knots, found NaN or infinity; train it again")
        if (np.diff(self.x) <= 0).any() or (np.diff(self.y) < 0).any() or self.y[0] < 0:
            raise ArtefactError(
                "calibration: expected increasing x and non-decreasing y from 0 up, found others; train it again"
            )

    @classmethod
    def fit(cls, prediction: NDArray[np.float64], money: NDArray[np.float64]) -> Self:
        """Fit by isotonic regression: the pool-adjacent-violators algorithm.

        Source: Ayer et al. 1955, "An empirical distribution function for sampling with incomplete
        information". Neighbouring blocks are then pooled further until each holds at least 10 rows and
        1/128 of all. Pooling keeps the order of the means and their sum: over the rows it was fitted on,
        the mean calibrated money equals the mean money.

        Args:
            prediction: float64 [n], made by models that have not seen these rows; n >= 1.
            money: float64 [n], what was spent, >= 0.

        Raises:
            InvalidInputError: shapes that differ, no row, or money that is negative or not finite.
        """
        if prediction.ndim != 1 or prediction.shape != money.shape or prediction.size == 0:
            raise InvalidInputError(
                f"calibration: expected as many predictions as amounts, at least 1, found "
                f"{prediction.size} and {money.size}"
            )
        if not (np.isfinite(prediction).all() and np.isfinite(money).all() and (money >= 0).all()):
            raise InvalidInputError("calibration: expected finite predictions and finite money >= 0")
        x, group = np.unique(prediction, return_inverse=True)
        rows = np.bincount(group).astype(np.float64)
        sums = np.bincount(group, weights=money).astype(np.float64)
        ends = _coarsened(_pooled(rows, sums), rows)
        starts = np.concatenate([[0], ends[:-1] + 1])
        means = np.add.reduceat(sums, starts) / np.add.reduceat(rows, starts)
        # A block is level from its first to its last prediction; one of a single prediction needs one knot.
        positions = np.stack([starts, ends], axis=1).ravel()
        kept = np.concatenate([[True], np.diff(positions) > 0])
        # The quotients of equal blocks may differ by a rounding error.
        levels = np.maximum.accumulate(np.repeat(means, 2))
        return cls(x[positions[kept]], levels[kept])

    def apply(self, prediction: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean money of each prediction: float64 [n], >= 0."""
        return np.interp(prediction, self.x, self.y)


def _pooled(rows: NDArray[np.float64], sums: NDArray[np.float64]) -> NDArray[np.int64]:
    """Pool adjacent violators: the last position of every block, so that block means never fall."""
    blocks: list[tuple[float, float, int]] = []
    for position, (weight, total) in enumerate(zip(rows.tolist(), sums.tolist(), strict=True)):
        block = (weight, total, position)
        while blocks and blocks[-1][1] * block[0] >= block[1] * blocks[-1][0]:
            before = blocks.pop()
            block = (before[0] + block[0], before[1] + block[1], position)
        blocks.append(block)
    return np.array([end for _, _, end in blocks], dtype=np.int64)


def _coarsened(ends: NDArray[np.int64], rows: NDArray[np.float64]) -> NDArray[np.int64]:
    """Pool neighbouring blocks until each holds enough rows.

    From the highest predictions down, so that a remainder too small for a block of its own is pooled at
    the bottom, where there is least money to tell apart.
    """
    cumulative = np.cumsum(rows)
    smallest = max(_SMALLEST_BLOCK_ROWS, cumulative[-1] / (MAXIMUM_KNOTS // 2))
    kept = [int(ends[-1])]
    for end in ends[-2::-1].tolist():
        if cumulative[kept[-1]] - cumulative[end] >= smallest and cumulative[end] >= smallest:
            kept.append(end)
    return np.array(kept[::-1], dtype=np.int64)
