"""Ridge regression of the rank of a label, its two strengths chosen by cross-validation over users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.exceptions import InvalidInputError
from models.scoring.kinds.linear import LinearModel
from models.training.capacity.design import Blend, Design
from models.training.capacity.people import MEAN_RANK, Labelled, People, deal, ranks
from models.training.fits.ridge import moments, ridge_path

Vector = NDArray[np.float64]

DECAYS: Final = tuple(10.0**power for power in np.arange(-2.5, 1.75, 0.25).tolist())
"""The penalties of the scalars' weights that are tried, per mean squared error and standard deviation."""

FOLDS: Final = 10
INNER_FOLDS: Final = 5


@dataclass(frozen=True)
class Strength:
    """How strongly a fit is held back.

    Attributes:
        decay: penalty of a weight per standard deviation of a scalar of a user's whole life.
        blend: how much more or less that of the others is.
    """

    decay: float
    blend: Blend


def choose(design: Design, labelled: Labelled, *, folds: int, seed: int) -> Strength:
    """Choose the strength of least squared error over users that a fit has not seen.

    Args:
        design: the columns.
        labelled: the users to fit and judge on.
        folds: at least 2.
        seed: of the folds.

    Raises:
        InvalidInputError: too few users for the folds.
    """
    matrix, target = design.matrix[labelled.places], ranks(labelled.labels) - MEAN_RANK
    dealt = deal(labelled.users, labelled.labels, folds, seed)
    decays = np.array(DECAYS)
    errors = np.zeros((len(design.blends), len(decays)))
    for fold in range(folds):
        judged = dealt == fold
        gram, moment, means = moments(matrix[~judged], target[~judged])
        for row, blend in enumerate(design.blends):
            factors = design.factors(blend)
            weights = ridge_path(gram * np.outer(factors, factors), moment * factors, decays) * factors
            predicted = (matrix[judged] - means) @ weights.T
            errors[row] += np.square(predicted - target[judged, np.newaxis]).sum(axis=0)
    # Of equal errors the first.
    row, column = divmod(int(errors.argmin()), len(decays))
    return Strength(float(decays[column]), design.blends[row])


def fit(design: Design, labelled: Labelled, strength: Strength) -> LinearModel:
    """Fit with this strength.

    Args:
        design: the columns.
        labelled: the users to fit on.
        strength: of the penalties.
    """
    factors = design.factors(strength.blend)
    gram, moment, means = moments(design.matrix[labelled.places], ranks(labelled.labels) - MEAN_RANK)
    path = ridge_path(gram * np.outer(factors, factors), moment * factors, np.array([strength.decay]))
    weights = path[0] * factors
    return design.model(weights, MEAN_RANK - float(means @ weights))


def out_of_fold(
    people: People, labelled: Labelled, part: str, *, folds: int = FOLDS, inner: int = INNER_FOLDS, seed: int = 0
) -> Vector:
    """Predict each user by a fit that has not seen the user, nor have its strengths been chosen on the user.

    Args:
        people: all users.
        labelled: n of them.
        part: of `PARTS`, what the fits may read.
        folds: to predict, at least 2.
        inner: to choose the strengths within the rest, at least 2.
        seed: of the folds.

    Returns:
        float64 [n], expected ranks.

    Raises:
        InvalidInputError: too few users for the folds, or labels that do not differ.
    """
    if labelled.labels.size and labelled.labels.min() == labelled.labels.max():
        raise InvalidInputError("labels: expected at least two that differ, found one; there is no order")
    design = Design(people, part)
    dealt = deal(labelled.users, labelled.labels, folds, seed)
    predicted = np.empty(len(labelled.users))
    for fold in range(folds):
        judged = dealt == fold
        known = labelled.where(~judged)
        model = fit(design, known, choose(design, known, folds=inner, seed=seed))
        asked = labelled.places[judged]
        predicted[judged] = model.predict(people.values[asked][:, design.kept], people.vectors[asked])
    return predicted
