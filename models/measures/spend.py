"""How well predictions order and price the spend that followed; exact, in any order of the rows.

Ties in prediction are never broken by position. A row tied with others stands for its group's mean: the
expectation over every order in which the tie could be broken.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.exceptions import InvalidInputError

Vector = NDArray[np.float64]

_DECILES: Final = 10


def concordance(actual: ArrayLike, prediction: ArrayLike) -> float:
    """Return the share of pairs with different actual spend that the prediction orders rightly.

    A pair tied in prediction counts half. Source: Harrell et al. 1982, "Evaluating the yield of medical
    tests" (the C index, here without censoring). O(n log^2 n), exact.

    Args:
        actual: [n], what was spent.
        prediction: [n], in any unit.

    Raises:
        InvalidInputError: shapes that differ, numbers not finite, or no pair with different actual spend.
    """
    spent, predicted = _checked(actual, prediction)
    _, spent_ranks = np.unique(spent, return_inverse=True)
    _, ranks = np.unique(predicted, return_inverse=True)
    comparable = _pairs_apart(spent_ranks)
    if comparable == 0:
        raise InvalidInputError("actual: expected at least two different amounts, found one; there is no order")
    # Equal spend in falling order of prediction, so that no such pair can count as rising.
    rising = _rising_pairs(ranks[np.lexsort((-ranks, spent_ranks))])
    tied = _pairs_apart(spent_ranks * spent.size + ranks) - _pairs_apart(ranks)
    return (rising + 0.5 * tied) / comparable


def normalized_gini(actual: ArrayLike, prediction: ArrayLike) -> float:
    """Return the Gini index of actual spend ordered by prediction, over that of the perfect order.

    With r the average rank of the prediction, G = 2 sum(actual x r) / (n sum(actual)) - (n + 1) / n.
    Source: Kakwani 1980, "Income inequality and poverty" (concentration index); Frees, Meyers & Cummings
    2011, "Summarizing insurance scores using a Gini index". 1 is the perfect order, 0 none, -1 the reverse.

    Args:
        actual: [n], >= 0.
        prediction: [n], in any unit.

    Raises:
        InvalidInputError: shapes that differ, numbers not finite, or actual spend that does not vary.
    """
    spent, predicted = _checked(actual, prediction)
    if spent.min() == spent.max():
        raise InvalidInputError("actual: expected at least two different amounts, found one; there is no order")
    # The constants of G cancel once both ranks are centred; what remains is a ratio of covariances.
    centred = spent - spent.mean()
    return float((centred @ average_ranks(predicted)) / (centred @ average_ranks(spent)))


def top_decile_share(actual: ArrayLike, prediction: ArrayLike) -> float:
    """Return the share of all spend that falls to the tenth of rows predicted highest.

    That tenth is ceil(n / 10) rows; rows tied at the cut share its last places equally. Source: the
    cumulative gains chart, Berry & Linoff 2011, "Data mining techniques", at 10 %.

    Args:
        actual: [n], >= 0.
        prediction: [n], in any unit.

    Raises:
        InvalidInputError: shapes that differ, numbers not finite, or no spend at all.
    """
    spent, predicted = _checked(actual, prediction)
    total = spent.sum()
    if total <= 0:
        raise InvalidInputError("actual: expected some spend, found none; there is nothing to capture")
    ordered = _mean_within_ties(spent, predicted)[np.argsort(predicted)]
    return float(ordered[-spent.size // _DECILES :].sum() / total)


def calibration_error(actual: ArrayLike, prediction: ArrayLike) -> float:
    """Return the mean over prediction deciles of |mean predicted - mean actual| / overall mean actual.

    Deciles are ten runs of rows in order of prediction whose sizes differ by at most one (fewer than ten
    rows: one run each). Source: expected calibration error with bins of equal mass, Nguyen & O'Connor 2015,
    "Posterior calibration and exploratory analysis", carried over from probabilities to money.

    Args:
        actual: [n], money.
        prediction: [n], money.

    Raises:
        InvalidInputError: shapes that differ, numbers not finite, or no spend at all.
    """
    spent, predicted = _checked(actual, prediction)
    if spent.sum() <= 0:
        raise InvalidInputError("actual: expected some spend, found none; there is no scale to compare with")
    order = np.argsort(predicted)
    gaps = (predicted - _mean_within_ties(spent, predicted))[order]
    runs = np.array_split(gaps, min(_DECILES, gaps.size))
    return float(np.mean([abs(run.mean()) for run in runs]) / spent.mean())


def calibration_deciles(actual: ArrayLike, prediction: ArrayLike) -> list[tuple[int, float, float]]:
    """Return the deciles that `calibration_error` averages: rows, mean predicted and mean actual money of each.

    Args:
        actual: [n], money.
        prediction: [n], money.

    Returns:
        At most ten, the lowest predicted first.

    Raises:
        InvalidInputError: shapes that differ, or numbers not finite.
    """
    spent, predicted = _checked(actual, prediction)
    order = np.argsort(predicted, kind="stable")
    runs = np.array_split(order, min(_DECILES, order.size))
    shared = _mean_within_ties(spent, predicted)
    return [(run.size, float(predicted[run].mean()), float(shared[run].mean())) for run in runs]


def spearman(actual: ArrayLike, prediction: ArrayLike) -> float:
    """Return the rank correlation: Pearson's correlation of average ranks; 0 when either is constant.

    Source: Spearman 1904, "The proof and measurement of association between two things".

    Args:
        actual: [n].
        prediction: [n], in any unit.

    Raises:
        InvalidInputError: shapes that differ, or numbers not finite.
    """
    spent, predicted = _checked(actual, prediction)
    x, y = (ranks - ranks.mean() for ranks in (average_ranks(spent), average_ranks(predicted)))
    scale = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / scale) if scale > 0 else 0.0


def mae(actual: ArrayLike, prediction: ArrayLike) -> float:
    """Return the mean absolute error, in the unit of the numbers passed (Willmott & Matsuura 2005).

    Raises:
        InvalidInputError: shapes that differ, or numbers not finite.
    """
    spent, predicted = _checked(actual, prediction)
    return float(np.abs(spent - predicted).mean())


def rmse(actual: ArrayLike, prediction: ArrayLike) -> float:
    """Return the root mean squared error, in the unit of the numbers passed (Willmott & Matsuura 2005).

    Raises:
        InvalidInputError: shapes that differ, or numbers not finite.
    """
    spent, predicted = _checked(actual, prediction)
    return float(np.sqrt(np.square(spent - predicted).mean()))


def summary(actual: ArrayLike, prediction: ArrayLike, expected_spend: ArrayLike) -> dict[str, float]:
    """Return every metric by name: of order from the prediction, of money from the expected spend.

    Args:
        actual: [n], money spent.
        prediction: [n], log1p of money.
        expected_spend: [n], money.

    Raises:
        InvalidInputError: shapes that differ, numbers not finite, or actual spend that does not vary.
    """
    return {
        "concordance": concordance(actual, prediction),
        "normalized_gini": normalized_gini(actual, prediction),
        "top_decile_share": top_decile_share(actual, prediction),
        "spearman": spearman(actual, prediction),
        "rmse_log1p": rmse(np.log1p(actual), prediction),
        "calibration_error": calibration_error(actual, expected_spend),
        "mae": mae(actual, expected_spend),
        "rmse": rmse(actual, expected_spend),
    }


def _checked(actual: ArrayLike, prediction: ArrayLike) -> tuple[Vector, Vector]:
    spent = np.asarray(actual, dtype=np.float64)
    predicted = np.asarray(prediction, dtype=np.float64)
    if spent.ndim != 1 or spent.shape != predicted.shape or spent.size == 0:
        raise InvalidInputError(
            f"evaluation: expected two vectors of one length, at least 1, found shapes {list(spent.shape)} "
            f"and {list(predicted.shape)}"
        )
    if not (np.isfinite(spent).all() and np.isfinite(predicted).all()):
        raise InvalidInputError("evaluation: expected finite numbers, found NaN or infinity")
    return spent, predicted


def _pairs_apart(values: NDArray[np.int64]) -> int:
    """Count the pairs whose values differ."""
    sizes = np.unique(values, return_counts=True)[1]
    return int(values.size * (values.size - 1) // 2 - (sizes * (sizes - 1) // 2).sum())


def average_ranks(values: Vector) -> Vector:
    """Return ranks from 1, tied values sharing the mean of their ranks."""
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    averages: Vector = (np.cumsum(sizes) - (sizes - 1) / 2)[group]
    return averages


def _mean_within_ties(values: Vector, keys: Vector) -> Vector:
    """Replace each value by the mean of the values whose key equals its own."""
    _, group, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    means: Vector = (np.bincount(group, weights=values) / sizes)[group]
    return means


def _rising_pairs(ranks: NDArray[np.int64]) -> int:
    """Count pairs i < j with ranks[i] < ranks[j], by a merge sort that merges a whole level at once."""
    position = np.arange(ranks.size)
    count, width = 0, 1
    while width < ranks.size:
        pair = position // (2 * width)
        keys = pair * ranks.size + ranks
        is_right = position // width % 2 == 1
        smaller_on_left = np.searchsorted(keys[~is_right], keys[is_right])
        # Every earlier pair of runs has a full left run, all of whose keys are smaller.
        count += int((smaller_on_left - pair[is_right] * width).sum())
        ranks = np.sort(keys) - pair * ranks.size
        width *= 2
    return count
