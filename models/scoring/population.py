"""The reference population of a score: the predictions that one prediction is compared with."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.exceptions import ArtefactError

MAXIMUM_REFERENCE: Final = 4001
"""The most reference predictions that are kept: a step of the score is then about 0.025."""

# Two shoppers with equal features must get equal scores even when their predictions were computed on
# machines that round the last digit of a logarithm differently. It has no other purpose: 1e-9 of a prediction.
_TIE: Final = 1e-9


def require_reference(reference: NDArray[np.float64]) -> None:
    """Refuse a reference that is no sorted sample of predictions.

    Raises:
        ArtefactError: it is empty, too long, not sorted or not finite.
    """
    if reference.ndim != 1 or not 1 <= reference.size <= MAXIMUM_REFERENCE:
        raise ArtefactError(
            f"reference: expected 1 to {MAXIMUM_REFERENCE} predictions, found {reference.size}; "
            "train the artefact again"
        )
    if not np.isfinite(reference).all() or (np.diff(reference) < 0).any():
        raise ArtefactError("reference: expected finite sorted predictions, found others; train it again")


def share_at_most(reference: NDArray[np.float64], prediction: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 100 x the share of the sorted reference that is at most each prediction: float64 [n].

    Reference predictions that exceed one by less than 1e-9 count as equal to it.
    """
    counts = np.searchsorted(reference, prediction + _TIE, side="right")
    return np.asarray(100.0 * counts / reference.size, dtype=np.float64)


def reference_of(predictions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Reduce a population's predictions to the sorted reference a scorer keeps.

    Up to 4001 are all kept, so that the share is exact. From more, 4001 evenly spaced order statistics are
    kept, the least and the greatest among them.
    """
    ordered = np.sort(predictions)
    if ordered.size <= MAXIMUM_REFERENCE:
        return ordered
    return ordered[np.linspace(0, ordered.size - 1, MAXIMUM_REFERENCE).round().astype(np.int64)]
