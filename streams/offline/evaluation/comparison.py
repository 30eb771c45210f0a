"""Every measure of every model on the same rows, with intervals, and the differences between models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.measures.bootstrap import RowNumbers, intervals
from models.measures.classification import auc, average_precision, f1
from models.measures.spend import calibration_error, concordance, mae, normalized_gini, rmse, spearman, top_decile_share
from streams.offline.evaluation.forecasts import Forecast
from streams.offline.evaluation.material import Rows

Vector = NDArray[np.float64]
Measure = Callable[[Vector, Forecast], float]

MEASURES: Final[Mapping[str, Measure]] = {
    "concordance": lambda spent, said: concordance(spent, said.order),
    "normalized_gini": lambda spent, said: normalized_gini(spent, said.order),
    "top_decile_share": lambda spent, said: top_decile_share(spent, said.order),
    "spearman": lambda spent, said: spearman(spent, said.order),
    "calibration_error": lambda spent, said: calibration_error(spent, said.money),
    "mae": lambda spent, said: mae(spent, said.money),
    "rmse": lambda spent, said: rmse(spent, said.money),
    "auc": lambda spent, said: auc(spent > 0, said.order),
    "average_precision": lambda spent, said: average_precision(spent > 0, said.order),
    "f1": lambda spent, said: f1(spent > 0, said.order, said.threshold),
}
LESS_IS_BETTER: Final = frozenset({"calibration_error", "mae", "rmse"})

# The largest difference between equal forecasts that were computed in another order.
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, eq=False)
class Comparison:
    """The measures of k models.

    Attributes:
        names: of the models.
        values: float64 [k, measures].
        resampled: float64 [draws, k, measures]; a draw resamples the same users for all models.
    """

    names: tuple[str, ...]
    values: Vector
    resampled: Vector

    def table(self) -> dict[str, dict[str, dict[str, float]]]:
        """Return `value`, `low` and `high` (95 %) of each measure of each model."""
        return self._table(self.values, self.resampled)

    def ahead(self, of: str, others: Sequence[str]) -> dict[str, dict[str, dict[str, float]]]:
        """Return the lead of a model over each other one (positive is better), as `value`, `low` and `high`.

        The differences are paired: each draw measures both on the same users.
        """
        signs = np.where([name in LESS_IS_BETTER for name in MEASURES], -1.0, 1.0)
        own = self.names.index(of)
        table = self._table(
            (self.values[own] - self.values) * signs, (self.resampled[:, [own]] - self.resampled) * signs
        )
        return {name: table[name] for name in others}

    def _table(self, values: Vector, draws: Vector) -> dict[str, dict[str, dict[str, float]]]:
        low, high = intervals(draws)
        return {
            name: {
                measure: {"value": float(values[i, j]), "low": float(low[i, j]), "high": float(high[i, j])}
                for j, measure in enumerate(MEASURES)
            }
            for i, name in enumerate(self.names)
        }


def compare(
    rows: Rows,
    forecasts: Mapping[str, Forecast],
    resamplings: Sequence[RowNumbers],
    progress: Callable[[str, int, int], None],
) -> Comparison:
    """Measure models on all rows, and on each resampling of the users.

    Args:
        rows: the rows to judge.
        forecasts: the forecasts by name of the model.
        resamplings: of the rows' users.
        progress: called with the progress.

    Raises:
        InvalidInputError: as in `models.measures.spend`.
    """
    drawn = []
    for number, chosen in enumerate(resamplings, start=1):
        some = {
            name: Forecast(said.order[chosen], said.money[chosen], said.threshold) for name, said in forecasts.items()
        }
        drawn.append(_measured(rows.money[chosen], some))
        progress("resampling users", number, len(resamplings))
    return Comparison(tuple(forecasts), _measured(rows.money, forecasts), np.stack(drawn))


def measurable(rows: Rows) -> Callable[[RowNumbers], bool]:
    """Tell whether every measure exists on a resampling: it has a buyer, and not all users spend the same."""

    def usable(chosen: RowNumbers) -> bool:
        spent = rows.money[chosen]
        bought = int((spent > 0).sum())
        return 0 < bought < spent.size

    return usable


def verdict(ahead: Mapping[str, Any]) -> str:
    """Return the verdict that a difference's interval allows: `ahead`, `behind` or `not told apart`."""
    return "ahead" if ahead["low"] > _ROUNDING else "behind" if ahead["high"] < -_ROUNDING else "not told apart"


def _measured(spent: Vector, forecasts: Mapping[str, Forecast]) -> Vector:
    return np.array([[measure(spent, said) for measure in MEASURES.values()] for said in forecasts.values()])
