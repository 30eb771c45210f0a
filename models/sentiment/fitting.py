"""Fitting the head of polarity: a logistic regression held back by an L2 penalty, and its calibration."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.exceptions import InvalidInputError
from models.libraries import library

Vector = NDArray[np.float64]
Mask = NDArray[np.bool_]

FOLDS: Final = 5

DECAYS: Final = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
"""L2 penalties on weights of scaled embeddings, as multiples of half their squared length; cross-validation takes the
one of the least log loss."""


class Fit(NamedTuple):
    """The numbers of a head.

    Attributes:
        weights: float64 [width], on embeddings as they come.
        calibration: float64 [3]: intercept of the logit, slope and offset of its calibration.
        decay: the penalty that was chosen.
    """

    weights: Vector
    calibration: Vector
    decay: float


def fit(embeddings: NDArray[np.float32], positive: Mask, groups: NDArray[np.int64], seed: int = 0) -> Fit:
    """Fit a head.

    The penalty is the one of least log loss over five folds of groups. The calibration is Platt's (1999), a logistic
    regression of the answers on the logits that texts have by a fit that has not seen their group.

    Args:
        embeddings: [n, width], mean-pooled.
        positive: [n], whether each text praises.
        groups: [n], of texts that share a fate; a group is never on both sides of a fold.
        seed: of the folds.

    Raises:
        InvalidInputError: one class alone, or a class that is in fewer groups than there are folds.
        MissingLibraryError: scikit-learn is not installed.
    """
    require_enough(positive, groups)
    values = embeddings.astype(np.float64)
    folds = library("sklearn.model_selection").StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    parts = list(folds.split(values, positive, groups))
    losses, unseen = [], []
    for decay in DECAYS:
        logits = np.empty(len(values))
        for train, test in parts:
            weights, intercept = _regress(values[train], positive[train], decay)
            logits[test] = values[test] @ weights + intercept
        unseen.append(logits)
        losses.append(log_loss(positive, logits))
    best = int(np.argmin(losses))
    weights, intercept = _regress(values, positive, DECAYS[best])
    slope, offset = _platt(unseen[best], positive)
    return Fit(weights, np.array([intercept, slope, offset]), DECAYS[best])


def require_enough(positive: Mask, groups: NDArray[np.int64]) -> None:
    """Refuse texts that cannot be fitted to.

    Raises:
        InvalidInputError: one class alone, or a class that is in fewer groups than there are folds.
    """
    for name, of_class in (("praise", positive), ("complain", ~positive)):
        if (found := len(np.unique(groups[of_class]))) < FOLDS:
            raise InvalidInputError(
                f"texts: expected some of {FOLDS} items or more that {name}, found those of {found}; name more reviews"
            )


def log_loss(positive: Mask, logits: Vector) -> float:
    """Return the mean negative log-likelihood of the answers, in nats."""
    return float(np.logaddexp(0.0, np.where(positive, -logits, logits)).mean())


def _regress(values: Vector, positive: Mask, decay: float) -> tuple[Vector, float]:
    """Return weights and intercept for embeddings as they come.

    One scale serves all columns: some of an encoder's hardly vary but by rounding, and a scale of their own would make
    of that a voice like any other.
    """
    mean = values.mean(axis=0)
    scale = float(np.sqrt(np.square(values - mean).mean())) or 1.0
    model = library("sklearn.linear_model").LogisticRegression(C=1 / decay, max_iter=1000)
    model.fit((values - mean) / scale, positive)
    weights = model.coef_[0] / scale
    return weights, float(model.intercept_[0] - weights @ mean)


def _platt(logits: Vector, positive: Mask) -> tuple[float, float]:
    """Return slope and offset of the calibration."""
    # No penalty to speak of: there are two numbers to fit, and as many texts as were read.
    model = library("sklearn.linear_model").LogisticRegression(C=1e6, max_iter=1000, tol=1e-8)
    model.fit(logits[:, None], positive)
    return float(model.coef_[0, 0]), float(model.intercept_[0])
