"""How well a polarity tells praise from complaint, on texts that nothing was fitted to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.measures.bootstrap import INTERVAL, resampled_rows
from models.measures.classification import auc
from models.measures.probability import accuracy, brier, calibration_error, reliability
from streams.offline.sentiment.pairs import Pair

DRAWS: Final = 500

Vector = NDArray[np.float64]

MEASURES: Final[dict[str, Callable[[NDArray[np.bool_], Vector], float]]] = {
    "accuracy": accuracy,
    "brier": brier,
    "calibration_error": calibration_error,
    "auc": auc,
}


def judge(pairs: Sequence[Pair], probability: Vector, *, draws: int = DRAWS, seed: int = 0) -> dict[str, Any]:
    """Measure probabilities that texts praise, corpus by corpus.

    Args:
        pairs: [n], that nothing was fitted to.
        probability: [n], 0 to 1.
        draws: resamplings of groups, for the intervals.
        seed: of the resamplings.

    Returns:
        By corpus: `texts`, `praise` (their share), `reliability` (see `models.measures.probability`), and each measure
        as `value` with the bounds `low` and `high` of its 95 % interval; `auc` only where both answers are there.
    """
    corpora = np.array([pair.corpus for pair in pairs])
    positive = np.array([pair.positive for pair in pairs])
    groups = [pair.group for pair in pairs]
    found: dict[str, Any] = {}
    for corpus in dict.fromkeys(corpora.tolist()):
        rows = np.flatnonzero(corpora == corpus)
        found[corpus] = _judged(positive[rows], probability[rows], [groups[row] for row in rows], draws, seed)
    return found


def _judged(
    positive: NDArray[np.bool_], probability: Vector, groups: Sequence[str], draws: int, seed: int
) -> dict[str, Any]:
    both = bool(positive.any() and not positive.all())
    measures = {name: measure for name, measure in MEASURES.items() if both or name != "auc"}

    def usable(rows: NDArray[np.int64]) -> bool:
        return not both or 0 < int(positive[rows].sum()) < len(rows)

    drawn = list(resampled_rows(groups, draws=draws, seed=seed, usable=usable))
    result: dict[str, Any] = {
        "texts": len(positive),
        "praise": float(positive.mean()),
        "reliability": reliability(positive, probability),
    }
    for name, measure in measures.items():
        low, high = np.percentile([measure(positive[rows], probability[rows]) for rows in drawn], INTERVAL)
        result[name] = {"value": measure(positive, probability), "low": float(low), "high": float(high)}
    return result
