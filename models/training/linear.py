"""Choosing the weight decay of the linear model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.exceptions import InvalidInputError
from models.scoring.kinds.linear import LinearModel
from models.scoring.kinds.protocol import Watch
from models.training.candidate import Candidate, Progress, Vector, checked_decays
from models.training.fits.linear import EPOCHS, fit_linear, fit_many
from models.training.rows import TrainingRows
from models.training.splits import Split, Splits

WEIGHT_DECAYS: Final = (0.001, 0.01, 0.1, 1.0, 10.0)

_FITS: Final = 3
"""To choose, out of fold, and on every row; each is one descent, however many models it fits."""


def linear_candidate(
    names: Sequence[str],
    rows: TrainingRows,
    splits: Splits,
    *,
    weight_decays: Sequence[float] = WEIGHT_DECAYS,
    epochs: int = EPOCHS,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> Candidate:
    """Choose the weight decay of least squared error of log1p(money), then fit with it.

    The objective is convex and the descent runs to its minimum, so nothing is gained by stopping early.

    Args:
        names: the k features.
        rows: n of them.
        splits: of the rows.
        weight_decays: each > 0; of equal error the one named first is chosen.
        epochs: steps of each descent.
        progress: called every 100 steps of the three descents.
        watch: called with the error of each weight decay.

    Raises:
        InvalidInputError: no weight decay, one that is not positive, or no epoch.
    """
    decays = checked_decays(weight_decays)
    if epochs < 1:
        raise InvalidInputError(f"epochs: expected at least 1, found {epochs}")

    def report(fit: int) -> Callable[[int], None] | None:
        return None if progress is None else lambda step: progress("linear", fit * epochs + step, _FITS * epochs)

    tried = _held_out(names, rows, splits.by_choice, decays, epochs, report(0))
    judged = np.logical_or.reduce([part.judge for part in splits.by_choice])
    errors = np.sqrt(((tried - rows.target)[:, judged] ** 2).mean(axis=1))
    if watch is not None:
        for step, error in enumerate(errors):
            watch("linear/search/rmse_log1p", step, float(error))
    # Of equal error, argmin takes the first.
    best = int(errors.argmin())
    out_of_fold = _held_out(names, rows, splits.by_user, decays[best : best + 1], epochs, report(1))[0]
    decay = float(decays[best])
    return Candidate(
        model=fit_linear(names, rows, weight_decay=decay, epochs=epochs, report=report(2)).model,
        options={"weight_decay": decay},
        losses={f"{value:g}": float(error) for value, error in zip(decays, errors, strict=True)},
        out_of_fold=out_of_fold,
        chosen_on=tried[best],
    )


def _held_out(
    names: Sequence[str],
    rows: TrainingRows,
    parts: Sequence[Split],
    decays: Vector,
    epochs: int,
    report: Callable[[int], None] | None,
) -> NDArray[np.float64]:
    """Return predictions of the rows judged, float64 [decays, n], NaN elsewhere."""
    fitted: list[list[LinearModel]] = fit_many(
        names, [rows.where(part.fit | part.stop) for part in parts], decays, epochs=epochs, report=report
    )
    predictions = np.full((len(decays), len(rows.money)), np.nan)
    for part, by_decay in zip(parts, fitted, strict=True):
        judged = rows.where(part.judge)
        for row, model in zip(predictions, by_decay, strict=True):
            row[part.judge] = model.predict(judged.values, judged.profiles)
    return predictions
