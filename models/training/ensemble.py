"""Weighing the members of an ensemble by their predictions of rows that they have not seen."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Final

import numpy as np

from models.scoring.kinds.ensemble import EnsembleModel
from models.training.candidate import Candidate, Vector, order_loss_of
from models.training.rows import TrainingRows
from models.training.splits import Splits

_STEPS: Final = 5
"""Weights are multiples of a fifth: finer ones could not be told apart on the rows they are chosen on."""


def ensemble_candidate(members: Sequence[Candidate], rows: TrainingRows, splits: Splits) -> Candidate:
    """Choose the weights of least order loss among all that are multiples of a fifth and sum to 1.

    Args:
        members: at least one, on the same rows and splits.
        rows: n of them.
        splits: of the rows.
    """
    grid = [
        np.array(parts) / _STEPS for parts in product(range(_STEPS + 1), repeat=len(members)) if sum(parts) == _STEPS
    ]
    losses = [order_loss_of(rows, splits, _mean(weights, [member.chosen_on for member in members])) for weights in grid]
    weights = grid[int(np.argmin(losses))]
    kinds = [member.model.kind for member in members]
    return Candidate(
        model=EnsembleModel(members=tuple(member.model for member in members), weights=weights),
        options={f"weight of {kind}": float(weight) for kind, weight in zip(kinds, weights, strict=True)},
        losses={
            " ".join(f"{kind} {weight:g}" for kind, weight in zip(kinds, tried, strict=True)): loss
            for tried, loss in zip(grid, losses, strict=True)
        },
        out_of_fold=_mean(weights, [member.out_of_fold for member in members]),
        chosen_on=_mean(weights, [member.chosen_on for member in members]),
    )


def _mean(weights: Vector, predictions: Sequence[Vector]) -> Vector:
    mean: Vector = np.tensordot(weights, np.stack(predictions), axes=1)
    return mean
