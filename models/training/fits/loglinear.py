"""Fitting the log-linear model: Poisson pseudo-likelihood of a power of money, by Newton's method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from models.exceptions import InvalidInputError
from models.profile import WIDTH
from models.scoring.kinds.derived import Derived
from models.scoring.kinds.loglinear import LogLinearModel
from models.scoring.kinds.protocol import Fitted
from models.scoring.standardising import Standardiser
from models.training.rows import TrainingRows

if TYPE_CHECKING:
    import torch

EXPONENT: Final = 0.6
"""The power of money that is fitted. At 1 the model is one of the mean, which a few great amounts decide; towards 0 it
is one of whether anything is bought. Between them it tells both: 0.5 to 0.7 do equally well on the shipped data."""

_STEPS: Final = 100
_SMALLEST_GAIN: Final = 1e-12
_HALVINGS: Final = 30


def fit_loglinear(
    names: Sequence[str], rows: TrainingRows, *, weight_decay: float, profile_weight_decay: float
) -> Fitted:
    """Fit log E[money^0.6] = a + w'z by Poisson pseudo-likelihood; exp of it to the power 1 / 0.6 is money again.

    The variance need not be Poisson's, nor the money whole: only the mean has to be log-linear (Gourieroux, Monfort &
    Trognon 1984; Santos Silva & Tenreyro 2006, "The log of gravity"). Money is taken in units of its mean power, so
    that a penalty means the same in every currency. It counts as so many rows beside those fitted, so that a penalty
    chosen on some of the rows holds for all of them. The objective is convex; the same rows give the same bytes as
    long as torch uses the same number of threads.

    Args:
        names: the k features.
        rows: what to fit.
        weight_decay: the penalty decay / n x |w|^2 / 2 on the weights of standardised columns, in rows, > 0.
        profile_weight_decay: that on the weights of the profile's elements, > 0.

    Returns:
        The model and the steps taken.

    Raises:
        InvalidInputError: rows without any spend.
    """
    import torch

    derived = Derived.of(names)
    columns = derived.extend(rows.values)
    standardiser = Standardiser.fit((*derived.names, *derived.columns), columns, rows.transforms)
    powers = rows.money**EXPONENT
    unit = float(powers.mean())
    if not unit > 0:
        raise InvalidInputError("target money: expected some spend to fit to, found none; pass more users or folds")
    design = np.hstack([np.ones((len(columns), 1)), standardiser.apply(columns), rows.profiles])
    penalties = np.full(design.shape[1], weight_decay)
    penalties[0], penalties[-WIDTH:] = 0.0, profile_weight_decay
    penalties /= len(columns)
    found, steps = _newton(torch.tensor(design), torch.tensor(powers / unit), torch.tensor(penalties))
    weights = found.numpy() / EXPONENT
    model = LogLinearModel(
        derived=derived,
        standardiser=standardiser,
        weights=weights[1:-WIDTH].copy(),
        profile_weights=weights[-WIDTH:].copy(),
        level=float(weights[0] + np.log(unit) / EXPONENT),
    )
    return Fitted(model, steps)


def _newton(design: torch.Tensor, outcome: torch.Tensor, penalties: torch.Tensor) -> tuple[torch.Tensor, int]:
    """Minimise mean(exp(Xw) - y Xw) + sum of penalty x w^2 / 2, halving a step that does not lower it."""
    import torch

    def loss(weights: torch.Tensor) -> float:
        logs = design @ weights
        return float((logs.exp() - outcome * logs).mean() + (penalties * weights**2).sum() / 2)

    weights = torch.zeros(design.shape[1], dtype=torch.float64)
    least = loss(weights)
    for step in range(1, _STEPS + 1):
        mean = (design @ weights).exp()
        gradient = design.T @ (mean - outcome) / len(outcome) + penalties * weights
        curvature = (design * mean.unsqueeze(1)).T @ design / len(outcome) + torch.diag(penalties)
        move = torch.linalg.solve(curvature, gradient)
        tried = next(
            ((after, new) for k in range(_HALVINGS) if (new := loss(after := weights - move / 2**k)) < least), None
        )
        if tried is None:
            return weights, step
        gain, (weights, least) = least - tried[1], tried
        if gain < _SMALLEST_GAIN:
            return weights, step
    return weights, _STEPS
