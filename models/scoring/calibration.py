"""From a prediction in log-money to the mean money it stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from models.exceptions import ArtefactError, InvalidInputError

MAXIMUM_KNOTS: Final = 256
MAXIMUM_BLOCKS: Final = 128
# The mean of fewer rows says little where one row in a hundred spends ten times the mean.
_SMALLEST_BLOCK_ROWS: Final = 10

REACH: Final = 20.0
"""How far (log-money) a fitted map goes on rising beside its blocks: further than any shopper, e^20-fold in money."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """A non-decreasing map from prediction to mean money, linear between knots, constant beyond them.

    exp(prediction) - 1 would fall short of it (Jensen 1906): a few great amounts weigh more in a mean of
    money than in a mean of its logarithm. A consumer adds money up, so the mean is measured.

    Attributes:
        x: float64 [m], predictions, strictly increasing; 1 <= m <= 256.
        y: float64 [m], money, >= 0, non-decreasing.
        measured_up_to: the greatest mean money that was measured; more than that is extrapolated. None where nothing
            is: the map then ends at what was measured.

    Raises:
        ArtefactError: knots that are none of this.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    measured_up_to: float | None = None

    def __post_init__(self) -> None:
        if self.x.ndim != 1 or self.x.shape != self.y.shape or not 1 <= self.x.size <= MAXIMUM_KNOTS:
            raise ArtefactError(
                f"calibration: expected 1 to {MAXIMUM_KNOTS} knots, as many x as y, found "
                f"{self.x.size} and {self.y.size}; train the artefact again"
            )
        if not (np.isfinite(self.x).all() and np.isfinite(self.y).all()):
            raise ArtefactError("calibration: expected finite knots, found NaN or infinity; train it again")
        if self.measured_up_to is not None and not 0 <= self.measured_up_to <= self.y[-1]:
            raise ArtefactError(
                f"calibration: expected measured money from 0 to the last knot, found {self.measured_up_to:g}; "
                "train the artefact again"
            )
        if (np.diff(self.x) <= 0).any() or (np.diff(self.y) < 0).any() or self.y[0] < 0:
            raise ArtefactError(
                "calibration: expected increasing x and non-decreasing y from 0 up, found others; train it again"
            )

    @property
    def trusted_up_to(self) -> float:
        """The money up to which the map says what was measured."""
        return float(self.y[-1]) if self.measured_up_to is None else self.measured_up_to

    @classmethod
    def fit(cls, prediction: NDArray[np.float64], money: NDArray[np.float64]) -> Self:
        """Measure the mean money of blocks of predictions, and rise from each to the next without a level stretch.

        Blocks come from pooling adjacent violators: isotonic least squares. Source: Ayer et al. 1955, "An empirical
        distribution function for sampling with incomplete information". Neighbouring blocks are then pooled further
        until each holds at least 10 rows and 1/128 of all, and the lowest until some money was spent in it. Each has
        one knot: the mean of its predictions and the mean of its money. Beside the blocks the map goes on for `REACH`:
        down to nothing, and up no steeper than between the last two blocks, and than in proportion to exp(prediction).
        All knots are then scaled by one factor, so that over the rows it was fitted on the mean calibrated money is
        the mean money; the mean of each block is kept approximately.

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
        starts = np.concatenate([[0], starts[1 + int(np.argmax(means > 0)) :]])
        weight = np.add.reduceat(rows, starts)
        # Sums and quotients of neighbours may differ by a rounding error.
        knots_x = np.maximum.accumulate(np.add.reduceat(rows * x, starts) / weight)
        knots_y = np.maximum.accumulate(np.add.reduceat(sums, starts) / weight)
        apart = np.concatenate([[True], np.diff(knots_x) > 0])
        rising = cls(*_extended(knots_x[apart], knots_y[apart]))
        if not money.any():
            return rising
        scale = money.mean() / rising.apply(prediction).mean()
        return cls(rising.x, rising.y * scale, float(rising.y[-2] * scale))

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
    smallest = max(_SMALLEST_BLOCK_ROWS, cumulative[-1] / MAXIMUM_BLOCKS)
    kept = [int(ends[-1])]
    for end in ends[-2::-1].tolist():
        if cumulative[kept[-1]] - cumulative[end] >= smallest and cumulative[end] >= smallest:
            kept.append(end)
    return np.array(kept[::-1], dtype=np.int64)


def _extended(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Add a knot below the blocks and one above, `REACH` away."""
    # What a single block rises by is not measured, so it is next to nothing.
    slope = y[-1] / REACH if len(x) == 1 else min((y[-1] - y[-2]) / (x[-1] - x[-2]), y[-1])
    return (
        np.concatenate([[x[0] - REACH], x, [x[-1] + REACH]]),
        np.concatenate([[0.0], y, [y[-1] + slope * REACH]]),
    )
