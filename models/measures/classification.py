"""How well a prediction tells who will buy at all from who will not."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.exceptions import InvalidInputError
from models.libraries import library
from models.measures.spend import normalized_gini

Vector = NDArray[np.float64]
Mask = NDArray[np.bool_]

CURVE_POINTS: Final = 100
"""Of a curve that is drawn: a reader sees no more."""


def auc(bought: Mask, prediction: Vector) -> float:
    """Return the area under the ROC curve: the chance that a buyer is predicted more than another, ties half.

    With two outcomes the normalised Gini index is 2 AUC - 1 (Hand & Till 2001).

    Raises:
        InvalidInputError: shapes that differ, numbers not finite, or only one outcome.
    """
    return (1 + normalized_gini(bought.astype(np.float64), prediction)) / 2


def average_precision(bought: Mask, prediction: Vector) -> float:
    """Return the mean precision over the recall gained, ties taken together; the base rate for no order at all.

    Raises:
        InvalidInputError: nobody bought.
        MissingLibraryError: scikit-learn is not installed.
    """
    _require_buyers(bought)
    return float(library("sklearn.metrics").average_precision_score(bought, prediction))


def f1(bought: Mask, prediction: Vector, threshold: float) -> float:
    """Return the harmonic mean of precision and recall of "prediction >= threshold"; 0 where nobody is found."""
    said = prediction >= threshold
    found = int((said & bought).sum())
    return 2 * found / (int(said.sum()) + int(bought.sum())) if found else 0.0


def best_threshold(bought: Mask, prediction: Vector) -> float:
    """Return the least prediction that is to count as "will buy", for the highest F1 on these rows.

    To be chosen on other rows than those it is judged on.

    Raises:
        InvalidInputError: nobody bought.
        MissingLibraryError: scikit-learn is not installed.
    """
    _require_buyers(bought)
    precision, recall, thresholds = library("sklearn.metrics").precision_recall_curve(bought, prediction)
    # The last point of the curve, at recall 0, has no threshold.
    sums = precision[:-1] + recall[:-1]
    harmonic = np.divide(precision[:-1] * recall[:-1], sums, out=np.zeros_like(sums), where=sums > 0)
    return float(thresholds[int(harmonic.argmax())])


def roc_curve(bought: Mask, prediction: Vector) -> dict[str, list[float]]:
    """Return at most 100 points of the ROC curve, by `false_positive_rate` and `true_positive_rate`.

    Raises:
        InvalidInputError: nobody bought.
        MissingLibraryError: scikit-learn is not installed.
    """
    _require_buyers(bought)
    false, true, _ = library("sklearn.metrics").roc_curve(bought, prediction)
    return _thinned(false_positive_rate=false, true_positive_rate=true)


def precision_recall_curve(bought: Mask, prediction: Vector) -> dict[str, list[float]]:
    """Return at most 100 points of the precision-recall curve, by `recall` and `precision`.

    Raises:
        InvalidInputError: nobody bought.
        MissingLibraryError: scikit-learn is not installed.
    """
    _require_buyers(bought)
    precision, recall, _ = library("sklearn.metrics").precision_recall_curve(bought, prediction)
    return _thinned(recall=recall[::-1], precision=precision[::-1])


def _thinned(**columns: Vector) -> dict[str, list[float]]:
    """Keep points evenly along the curve's first coordinate, both ends among them."""
    first = next(iter(columns.values()))
    wanted = np.searchsorted(first, np.linspace(first[0], first[-1], CURVE_POINTS - 1))
    kept = np.unique([0, *wanted.tolist(), first.size - 1])
    return {name: column[kept[-CURVE_POINTS:]].tolist() for name, column in columns.items()}


def _require_buyers(bought: Mask) -> None:
    if not bought.any():
        raise InvalidInputError("bought: expected at least one buyer, found none; pass more rows")
