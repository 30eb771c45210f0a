"""Fitting the linear scorer: penalised least squares on log1p(money) by AdamW, cross-validated over users."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.calibration import Calibration
from models.descent import EPOCHS, penalised_least_squares
from models.evaluation import summary
from models.exceptions import InvalidInputError
from models.scorer import LinearModel, LinearScorer, reference_of
from models.training_rows import TrainingRows, assign_folds
from models.transform import ScalarRows, Standardiser

Vector = NDArray[np.float64]
Metrics = dict[str, float | dict[str, float]]
Progress = Callable[[int, int], None]
"""Called with the steps done and the steps in all."""

WEIGHT_DECAYS: Final = (0.001, 0.01, 0.1, 1.0, 10.0)


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingResult:
    """What a training run found.

    Attributes:
        scorer: fitted on every row.
        weight_decay: the one chosen.
        out_of_fold: float64 [n], each row's prediction by the model that has not seen its user.
        out_of_fold_spend: float64 [n], money, calibrated on the other folds' out-of-fold predictions.
        folds: int64 [n], the fold of each row.
        cross_validation: float64 [weight decays, folds with rows], RMSE of log1p(money) on the fold held out.
        metrics: of the out-of-fold predictions and spend, and RMSE by weight decay and by fold.
        data_hash: SHA-256 of what was trained on, in hexadecimal.
    """

    scorer: LinearScorer
    weight_decay: float
    out_of_fold: Vector
    out_of_fold_spend: Vector
    folds: NDArray[np.int64]
    cross_validation: Vector
    metrics: Metrics
    data_hash: str


def train(
    names: Sequence[str],
    scalars: ScalarRows,
    profiles: NDArray[np.floating],
    target_money: ArrayLike,
    users: Sequence[str],
    *,
    seed: int,
    folds: int = 5,
    weight_decays: Sequence[float] = WEIGHT_DECAYS,
    epochs: int = EPOCHS,
    progress: Progress | None = None,
) -> TrainingResult:
    """Choose a weight decay by cross-validation over users, then fit on every row.

    The same arguments give the same bytes on the same machine: nothing is drawn but the folds, which
    depend on the seed and the user's id alone, and the arithmetic runs in one thread.

    Args:
        names: the k features.
        scalars: n rows of k values in that order, None for null.
        profiles: [n, 64], unit or zero.
        target_money: [n], money spent in the 30 days after the row's cut-off, >= 0.
        users: [n], the user of each row; a user's rows share a fold.
        seed: salts the folds.
        folds: at least 2.
        weight_decays: candidates, each > 0; of equal error the one named first is chosen.
        epochs: full-batch steps of each fit.
        progress: called every 100 steps and at the end.

    Raises:
        InvalidInputError: shapes that do not fit, numbers not finite, negative money, money that does not
            vary, or users that all fall into one fold.
    """
    rows = TrainingRows.checked(names, scalars, profiles, target_money, users)
    decays = _checked_decays(weight_decays, epochs)
    fold_of_row = assign_folds(users, folds, seed)
    held_out = [fold_of_row == fold for fold in np.unique(fold_of_row)]
    if len(held_out) < 2:
        raise InvalidInputError(
            f"users: expected users in at least 2 of {folds} folds, found them all in one; "
            "pass more users, more folds or another seed"
        )
    report = _reporter(progress, epochs)
    fitted = _fit(names, [rows.where(~held) for held in held_out], decays, epochs, report(0))
    predictions = np.empty((len(decays), len(rows.money)))
    for held, by_decay in zip(held_out, fitted, strict=True):
        for row, model in zip(predictions, by_decay, strict=True):
            row[held] = _predict(model, rows.where(held))
    squared = (predictions - rows.target) ** 2
    # Of equal error, argmin takes the first.
    best = int(squared.mean(axis=1).argmin())
    model = _fit(names, [rows], decays[best : best + 1], epochs, report(1))[0][0]
    spend = np.empty(len(rows.money))
    for held in held_out:
        spend[held] = Calibration.fit(predictions[best][~held], rows.money[~held]).apply(predictions[best][held])
    errors = np.array([[np.sqrt(row[held].mean()) for held in held_out] for row in squared])
    metrics: Metrics = {
        "rows": float(len(rows.money)),
        "users": float(len(set(users))),
        "weight_decay": float(decays[best]),
        "rmse_log1p_by_weight_decay": {
            f"{decay:g}": float(np.sqrt(row.mean())) for decay, row in zip(decays, squared, strict=True)
        },
        "rmse_log1p_by_fold": {str(fold): float(error) for fold, error in enumerate(errors[best])},
        **summary(rows.money, predictions[best], spend),
    }
    return TrainingResult(
        scorer=LinearScorer(
            model=model,
            reference=reference_of(_predict(model, rows)),
            calibration=Calibration.fit(predictions[best], rows.money),
        ),
        weight_decay=float(decays[best]),
        out_of_fold=predictions[best],
        out_of_fold_spend=spend,
        folds=fold_of_row,
        cross_validation=errors,
        metrics=metrics,
        data_hash=rows.digest(names, users),
    )


def _fit(
    names: Sequence[str],
    parts: Sequence[TrainingRows],
    decays: Vector,
    epochs: int,
    report: Callable[[int], None] | None,
) -> list[list[LinearModel]]:
    """Fit one model for each part of the rows and each weight decay."""
    standardisers = [Standardiser.fit(names, part.values) for part in parts]
    designs = [
        np.hstack([standardiser.apply(part.values), part.profiles])
        for standardiser, part in zip(standardisers, parts, strict=True)
    ]
    outcomes = [part.target for part in parts]
    weights = penalised_least_squares(designs, outcomes, decays, epochs=epochs, report=report)
    models = []
    for standardiser, design, part, by_decay in zip(standardisers, designs, parts, weights, strict=True):
        models.append([_model(standardiser, row, design, part.target) for row in by_decay])
    return models


def _model(standardiser: Standardiser, weights: Vector, design: Vector, target: Vector) -> LinearModel:
    count = len(standardiser.names)
    # Centring took the intercept out of the penalty; this puts it back.
    intercept = target.mean() - (design.mean(axis=0) * weights).sum()
    return LinearModel(
        standardiser=standardiser,
        weights=weights[:count].copy(),
        profile_weights=weights[count:].copy(),
        intercept=float(intercept),
    )


def _predict(model: LinearModel, rows: TrainingRows) -> Vector:
    predicted: Vector = model.intercept + model.contributions(rows.values, rows.profiles).sum(axis=1)
    return predicted


def _reporter(progress: Progress | None, epochs: int) -> Callable[[int], Callable[[int], None] | None]:
    """Report the steps of two fits, cross-validation and the last, as one run."""

    def of_fit(position: int) -> Callable[[int], None] | None:
        return None if progress is None else lambda step: progress(position * epochs + step, 2 * epochs)

    return of_fit


def _checked_decays(weight_decays: Sequence[float], epochs: int) -> Vector:
    decays = np.array(weight_decays, dtype=np.float64)
    if decays.size == 0 or not (np.isfinite(decays).all() and (decays > 0).all()):
        raise InvalidInputError(f"weight decays: expected at least one, each > 0, found {list(weight_decays)}")
    if epochs < 1:
        raise InvalidInputError(f"epochs: expected at least 1, found {epochs}")
    return decays
