"""The candidate that a family of models enters into the comparison, and how good its order is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.exceptions import InvalidInputError
from models.measures.spend import concordance, normalized_gini
from models.scoring.kinds.protocol import Model
from models.training.rows import TrainingRows
from models.training.splits import Splits

Vector = NDArray[np.float64]
Progress = Callable[[str, int, int], None]
"""Called with the kind of model, the steps done and the steps in all."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Candidate:
    """The best a family of models could do.

    Attributes:
        model: fitted on every row.
        options: those chosen, by name.
        losses: of every setting tried, by its name; the unit is the family's own.
        out_of_fold: float64 [n], each row's prediction by the model that has not seen its user.
        chosen_on: float64 [n], likewise by the models that the choice was made with; NaN where none judged.
    """

    model: Model
    options: Mapping[str, float]
    losses: Mapping[str, float]
    out_of_fold: Vector
    chosen_on: Vector


def checked_decays(weight_decays: Sequence[float]) -> Vector:
    """Return the weight decays to choose among: float64 [c].

    Raises:
        InvalidInputError: none, or one that is not a finite number > 0.
    """
    decays = np.array(weight_decays, dtype=np.float64)
    if decays.size == 0 or not (np.isfinite(decays).all() and (decays > 0).all()):
        raise InvalidInputError(f"weight decays: expected at least one, each > 0, found {list(weight_decays)}")
    return decays


def order_loss(money: Vector, prediction: Vector) -> float:
    """Return 1 - (concordance + normalised Gini) / 2: 0 for the perfect order, in no unit of its own.

    Models that predict a mean and models that predict a mean logarithm compare by it; and a score is an order.
    """
    return 1 - (concordance(money, prediction) + normalized_gini(money, prediction)) / 2


def order_loss_of(rows: TrainingRows, splits: Splits, chosen_on: Vector) -> float:
    """Return the mean over folds of the order loss on the rows that the choice is made on."""
    parts = [part.judge for part in splits.by_choice]
    return float(np.mean([order_loss(rows.money[judge], chosen_on[judge]) for judge in parts]))
