"""How well parts of the features order users, and what one adds to another, with intervals over users."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.measures.bootstrap import intervals, resampled_rows
from models.measures.spend import concordance, spearman

Vector = NDArray[np.float64]

MEASURES: Final[dict[str, Callable[[Vector, Vector], float]]] = {"spearman": spearman, "concordance": concordance}


class Measured(NamedTuple):
    """A number and its 95 % interval."""

    value: float
    low: float
    high: float


def order_of(
    actual: Vector, predictions: Mapping[str, Vector], *, draws: int, seed: int
) -> tuple[dict[str, dict[str, Measured]], dict[str, dict[str, Measured]]]:
    """Measure predictions of the same users, each alone and against the first.

    The predictions are taken as they are: intervals say how much the users decide, not how much the fits would differ.

    Args:
        actual: [n], one for each user, not all alike.
        predictions: by name, [n] each.
        draws: resamplings of users, >= 1.
        seed: of the resamplings; the same users are drawn for all predictions.

    Returns:
        By measure and name, the value; and by measure and name but the first, the difference to the first.

    Raises:
        InvalidInputError: lengths that differ, numbers that are not finite, or `actual` that does not vary.
    """
    names = tuple(predictions)
    values = _measured(actual, predictions, slice(None))
    rows = resampled_rows(
        range_ids(actual.size), draws=draws, seed=seed, usable=lambda rows: bool(np.ptp(actual[rows]))
    )
    drawn = np.array([_measured(actual, predictions, chosen) for chosen in rows])
    low, high = intervals(drawn)
    gap_low, gap_high = intervals(drawn - drawn[:, :, :1])
    alone: dict[str, dict[str, Measured]] = {}
    against: dict[str, dict[str, Measured]] = {}
    for i, measure in enumerate(MEASURES):
        alone[measure] = {
            name: Measured(*map(float, (values[i, j], low[i, j], high[i, j]))) for j, name in enumerate(names)
        }
        against[measure] = {
            name: Measured(*map(float, (values[i, j] - values[i, 0], gap_low[i, j], gap_high[i, j])))
            for j, name in enumerate(names)
            if j
        }
    return alone, against


def range_ids(count: int) -> list[str]:
    """Return an id for each of so many users."""
    return [str(place) for place in range(count)]


def _measured(actual: Vector, predictions: Mapping[str, Vector], rows: Any) -> Vector:
    return np.array([[of(actual[rows], p[rows]) for p in predictions.values()] for of in MEASURES.values()])
