"""Fitting linear scorers: penalised least squares by AdamW, many fits side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import numpy as np
import torch

from models.scoring.kinds.linear import LinearModel
from models.scoring.kinds.protocol import Fitted, Vector
from models.scoring.standardising import Standardiser
from models.training.rows import TrainingRows

EPOCHS: Final = 5000
"""With 101 features the minimum is met to 13 digits; where columns nearly coincide, predictions to 1e-4."""

_LEARNING_RATE: Final = 0.2
_STEPS_PER_REPORT: Final = 100


def penalised_least_squares(
    designs: Sequence[Vector],
    outcomes: Sequence[Vector],
    decays: Vector,
    *,
    epochs: int = EPOCHS,
    report: Callable[[int], None] | None = None,
) -> Vector:
    """Fit every data set with every weight decay, by full-batch AdamW from zero, in one thread.

    Half the mean squared error of centred rows Z, y is w'Gw / 2 - m'w + constant, with G = Z'Z / n and
    m = Z'y / n: each step takes the exact gradient over every row, at a cost that does not grow with them.

    The weight decay is the penalty decay x |w|^2 / 2 in that objective, whose minimum is the ridge
    regression (Hoerl & Kennard 1970). The optimiser's own decoupled decay (Loshchilov & Hutter 2019) stays
    0: without the noise of small batches it only bounds the largest weight by 1 / decay (Xie & Li 2024,
    "Implicit bias of AdamW") and shrinks nothing. The step falls to 0 along a cosine.

    Args:
        designs: s matrices, float64 [n_i, d]; centred here, so that no penalty falls on an intercept.
        outcomes: s vectors, float64 [n_i]; centred here.
        decays: float64 [c], each > 0.
        epochs: number of steps.
        report: called with the steps done, every 100 steps and at the end.

    Returns:
        float64 [s, c, d], the weights.
    """
    with _one_thread():
        moments = [_moments(*rows) for rows in zip(designs, outcomes, strict=True)]
        weights = _minimise(
            torch.stack([gram for gram, _ in moments]).repeat_interleave(len(decays), dim=0),
            torch.stack([moment for _, moment in moments]).repeat_interleave(len(decays), dim=0),
            torch.tensor(decays).repeat(len(moments)),
            epochs,
            report,
        )
    return weights.numpy().reshape(len(designs), len(decays), -1)


def _minimise(
    gram: torch.Tensor,
    moment: torch.Tensor,
    decay: torch.Tensor,
    epochs: int,
    report: Callable[[int], None] | None,
) -> torch.Tensor:
    """Minimise w'Gw / 2 - m'w + decay x |w|^2 / 2 for each G [d, d], m [d] and decay of a stack of b."""
    weights = torch.zeros_like(moment, requires_grad=True)
    optimiser = torch.optim.AdamW([weights], lr=_LEARNING_RATE, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    for epoch in range(1, epochs + 1):
        optimiser.zero_grad()
        fitted = torch.bmm(gram, weights.unsqueeze(2)).squeeze(2)
        penalty = decay.unsqueeze(1) * weights
        loss = (weights * (fitted / 2 + penalty / 2 - moment)).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        if report is not None and (epoch % _STEPS_PER_REPORT == 0 or epoch == epochs):
            report(epoch)
    return weights.detach()


def _moments(design: Vector, outcome: Vector) -> tuple[torch.Tensor, torch.Tensor]:
    # Copied: a matrix product's last digits may depend on alignment, which PyTorch's own memory fixes.
    centred = torch.tensor(design - design.mean(axis=0))
    residual = torch.tensor(outcome - outcome.mean())
    return centred.T @ centred / len(residual), centred.T @ residual / len(residual)


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def fit_linear(
    names: Sequence[str],
    rows: TrainingRows,
    *,
    weight_decay: float,
    epochs: int = EPOCHS,
    report: Callable[[int], None] | None = None,
) -> Fitted:
    """Fit the linear model with one weight decay, by full-batch AdamW from zero.

    Args:
        names: the k features.
        rows: what to fit.
        weight_decay: the L2 penalty, > 0.
        epochs: number of steps.
        report: called with the steps done, every 100 steps and at the end.
    """
    return Fitted(fit_many(names, [rows], np.array([weight_decay]), epochs=epochs, report=report)[0][0], epochs)


def fit_many(
    names: Sequence[str],
    parts: Sequence[TrainingRows],
    decays: Vector,
    *,
    epochs: int = EPOCHS,
    report: Callable[[int], None] | None = None,
) -> list[list[LinearModel]]:
    """Fit one model for each part of the rows and each weight decay, side by side: much faster than one by one."""
    from models.training.fits.linear import penalised_least_squares

    standardisers = [Standardiser.fit(names, part.values, part.transforms) for part in parts]
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
        vector_weights=weights[count:].copy(),
        intercept=float(intercept),
    )
