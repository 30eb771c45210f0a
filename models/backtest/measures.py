"""What a forecast is worth: the measures of the backtest, with intervals by resampling customers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.exceptions import InvalidInputError
from models.measures.spend import calibration_error, concordance, mae, normalized_gini, spearman, top_decile_share

Vector = NDArray[np.float64]

MEASURES: Final[Mapping[str, Callable[[Vector, Vector], float]]] = {
    "concordance": concordance,
    "normalized_gini": normalized_gini,
    "top_decile_share": top_decile_share,
    "calibration_error": calibration_error,
    "spearman": spearman,
    "mae": mae,
}
DECISIVE: Final = ("concordance", "normalized_gini", "top_decile_share", "calibration_error")
"""The measures that decide. Mean absolute error is not among them, because predicting zero wins it where most buy
nothing; nor is Spearman, because a tied predictor wins it where outcomes are tied."""

LESS_IS_BETTER: Final = ("calibration_error", "mae")
_INTERVAL: Final = (2.5, 97.5)


@dataclass(frozen=True, eq=False)
class Outcome:
    """How every model and baseline did in one protocol.

    Attributes:
        names: of the k models and baselines.
        values: float64 [k, measures], the mean over runs.
        resampled: float64 [draws, k, measures], each draw with one resampling of customers for all models.
    """

    names: tuple[str, ...]
    values: Vector
    resampled: Vector

    def table(self) -> dict[str, dict[str, float]]:
        """Return each measure of each model by name."""
        return {
            name: dict(zip(MEASURES, row, strict=True))
            for name, row in zip(self.names, self.values.tolist(), strict=True)
        }

    def intervals(self) -> dict[str, dict[str, list[float]]]:
        """Return the 95 % interval, [low, high], of each measure of each model."""
        return self._between(self.resampled)

    def leads(self, of: str) -> dict[str, dict[str, list[float]]]:
        """Return the 95 % interval of how far a model is ahead of each other one, better being positive."""
        ahead = self.resampled[:, [self.names.index(of)]] - self.resampled
        signs = np.where([name in LESS_IS_BETTER for name in MEASURES], -1.0, 1.0)
        return {name: rows for name, rows in self._between(ahead * signs).items() if name != of}

    def _between(self, draws: Vector) -> dict[str, dict[str, list[float]]]:
        low_high = np.percentile(draws, _INTERVAL, axis=0).transpose(1, 2, 0).tolist()
        return {name: dict(zip(MEASURES, row, strict=True)) for name, row in zip(self.names, low_high, strict=True)}


def measure(runs: Iterable[tuple[Vector, Mapping[str, Vector]]], *, draws: int, seeds: Sequence[int]) -> Outcome:
    """Measure forecasts, as a mean over runs, and resample each run's customers.

    Source of the intervals: the percentile bootstrap, Efron & Tibshirani 1993.

    Args:
        runs: for each seed the spend of n customers and, by model, the forecast of it; the same models in each run.
        draws: resamplings of each run, >= 1.
        seeds: of the resampling, one for each run.

    Raises:
        InvalidInputError: no run, or as in `models.measures.spend`.
    """
    values, resampled, names = [], [], tuple[str, ...]()
    for seed, (spent, forecasts) in zip(seeds, runs, strict=True):
        names = tuple(forecasts)
        predictions = np.stack(list(forecasts.values()))
        everybody = np.arange(len(spent))
        values.append(_measured(spent, predictions, everybody))
        generator = np.random.default_rng(seed)
        for _ in range(draws):
            drawn = generator.integers(0, len(spent), len(spent))
            resampled.append(_measured(spent, predictions, drawn))
    if not values:
        raise InvalidInputError("runs: expected at least one, found none; pass a seed")
    return Outcome(names, np.mean(values, axis=0), np.stack(resampled))


def best(outcomes: Iterable[Outcome]) -> str:
    """Return the model whose mean rank over the decisive measures of all protocols is the least."""
    columns = [list(MEASURES).index(name) for name in DECISIVE]
    signs = np.array([1.0 if name in LESS_IS_BETTER else -1.0 for name in DECISIVE])
    ranks: dict[str, float] = {}
    for outcome in outcomes:
        scores = outcome.values[:, columns] * signs
        better = (scores[:, None, :] > scores[None, :, :]).sum(axis=(1, 2))
        for name, rank in zip(outcome.names, better.tolist(), strict=True):
            ranks[name] = ranks.get(name, 0.0) + rank
    return min(ranks, key=lambda name: ranks[name])


def _measured(spent: Vector, predictions: Vector, rows: NDArray[np.int64]) -> Vector:
    return np.array([[of(spent[rows], row[rows]) for of in MEASURES.values()] for row in predictions])
