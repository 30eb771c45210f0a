"""A ridge probe of the frozen encoder's embeddings, and the figures of any prediction."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.finetuning.adapting import Head
from models.finetuning.texts import Kind
from models.libraries import FINETUNE, library

STRENGTHS: Final = tuple(10.0**power for power in np.arange(-3, 6.5, 0.5))
FOLDS: Final = 5
CERTAIN: Final = 0.01
"""A ridge predicts beyond 0 and 1, where the log loss has no value."""

Numbers = NDArray[np.float64]


def ridge(embeddings: Numbers, values: Numbers) -> tuple[Head, float]:
    """Fit a ridge regression whose strength 5-fold cross-validation chooses.

    Args:
        embeddings: float64[n, dimension].
        values: float64[n].

    Returns:
        The head and the strength, which is that on standardised embeddings.
    """
    folds = library("sklearn.model_selection", FINETUNE).KFold(FOLDS, shuffle=True, random_state=0)
    model = library("sklearn.linear_model", FINETUNE).RidgeCV(
        alphas=STRENGTHS, cv=folds, scoring="neg_mean_squared_error"
    )
    mean, scale = _scale(embeddings)
    model.fit((embeddings - mean) / scale, values)
    return _raw(model.coef_, float(model.intercept_), mean, scale), float(model.alpha_)


def predict(head: Head, embeddings: Numbers) -> Numbers:
    """Return weight e + bias, float64[n]."""
    result: Numbers = embeddings @ head.weight + head.bias
    return result


def as_logits(head: Head) -> Head:
    """Return a head for logits, of one that was fitted to labels: the sigmoid's tangent at 0 is 1/2 + x / 4."""
    return Head(4 * head.weight, 4 * (head.bias - 0.5))


def probability(logits: Numbers) -> Numbers:
    """Return 1 / (1 + exp(-x)) without overflow."""
    result: Numbers = (1 + np.tanh(logits / 2)) / 2
    return result


def figures(predictions: Numbers, values: Numbers, kind: Kind) -> dict[str, float]:
    """Measure predictions.

    Args:
        predictions: float64[n], probabilities, a regression's predictions of labels, or numbers.
        values: float64[n].
        kind: what the values are.

    Returns:
        `mean_squared_error`; of labels also `log_loss` (predictions cut to 0.01..0.99) and `accuracy` (at 0.5); of
        numbers also `variance`, the error of always saying the mean.
    """
    found = {"mean_squared_error": float(np.mean((predictions - values) ** 2))}
    if kind is Kind.TARGET:
        return found | {"variance": float(np.var(values))}
    share = np.clip(predictions, CERTAIN, 1 - CERTAIN)
    return found | {
        "log_loss": float(-np.mean(values * np.log(share) + (1 - values) * np.log(1 - share))),
        "accuracy": float(np.mean((predictions >= 0.5) == (values == 1))),
    }


def _scale(embeddings: Numbers) -> tuple[Numbers, Numbers]:
    deviation = embeddings.std(0)
    return embeddings.mean(0), np.where(deviation > 0, deviation, 1.0)


def _raw(weight: Numbers, bias: float, mean: Numbers, scale: Numbers) -> Head:
    """Return the head on embeddings as they are, of one on standardised embeddings."""
    raw = np.asarray(weight, dtype=np.float64) / scale
    return Head(raw, bias - float(mean @ raw))
