"""How well a probability tells one of two outcomes."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.exceptions import InvalidInputError

Vector = NDArray[np.float64]
Mask = NDArray[np.bool_]

BINS: Final = 10
"""Bins of the calibration error, as many texts in each."""


def accuracy(happened: Mask, probability: Vector) -> float:
    """Return the share of outcomes on the side of 0.5 that the probability is on; 0.5 itself says that it happens.

    Raises:
        InvalidInputError: no outcome, shapes that differ, or a probability outside 0 to 1.
    """
    _check(happened, probability)
    return float(((probability >= 0.5) == happened).mean())


def brier(happened: Mask, probability: Vector) -> float:
    """Return the mean squared difference of probability and outcome (Brier 1950); 0 is best, 0.25 is 0.5 for all.

    Raises:
        InvalidInputError: as `accuracy`.
    """
    _check(happened, probability)
    return float(np.square(probability - happened).mean())


def calibration_error(happened: Mask, probability: Vector) -> float:
    """Return the expected calibration error: how far bins' mean probabilities are from what happened, on average.

    Ten bins of as many outcomes each, but for ties, by rising probability (Nguyen & O'Connor 2015, "Posterior
    calibration and exploratory analysis for natural language processing models").

    Raises:
        InvalidInputError: as `accuracy`.
    """
    bins = reliability(happened, probability)
    return float(sum(abs(told - true) * share for told, true, share in bins))


def reliability(happened: Mask, probability: Vector) -> list[tuple[float, float, float]]:
    """Return mean probability, share that happened and share of all outcomes, of up to ten bins by rising probability.

    Raises:
        InvalidInputError: as `accuracy`.
    """
    _check(happened, probability)
    edges = np.quantile(probability, np.arange(1, BINS) / BINS)
    # Equal probabilities share a bin: nothing tells their outcomes apart.
    bins = np.searchsorted(edges, probability)
    parts = [bins == number for number in np.unique(bins)]
    return [(float(probability[part].mean()), float(happened[part].mean()), float(part.mean())) for part in parts]


def _check(happened: Mask, probability: Vector) -> None:
    if not len(happened) or happened.shape != probability.shape or happened.ndim != 1:
        raise InvalidInputError(
            f"probabilities: expected one for each outcome, found shapes {list(happened.shape)} and "
            f"{list(probability.shape)}; pass as many"
        )
    if not ((probability >= 0) & (probability <= 1)).all():
        raise InvalidInputError("probabilities: expected 0 to 1, found another; check what was predicted")
