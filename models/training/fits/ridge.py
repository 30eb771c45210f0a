"""Ridge regression in closed form: the minimum that the descent of `models.training.fits.linear` runs to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


def ridge_path(gram: Vector, moment: Vector, decays: Vector) -> Vector:
    """Fit one data set with every weight decay.

    The objective is that of `models.training.fits.linear.penalised_least_squares`: half the mean squared error of
    centred rows Z, y plus decay x |w|^2 / 2. It is quadratic, and its only minimum is (G + decay x I)^-1 m with
    G = Z'Z / n and m = Z'y / n (Hoerl & Kennard 1970). One eigendecomposition of G serves all decays, where a descent
    takes thousands of steps for each: nested cross-validation makes hundreds of fits.

    Args:
        gram: float64 [d, d], G.
        moment: float64 [d], m.
        decays: float64 [c], each > 0.

    Returns:
        float64 [c, d], the weights.
    """
    eigenvalues, directions = np.linalg.eigh(gram)
    along = directions.T @ moment
    # Of a gram matrix none is negative but by rounding.
    weights: Vector = (along / (np.maximum(eigenvalues, 0.0) + decays[:, np.newaxis])) @ directions.T
    return weights


def moments(design: Vector, outcome: Vector) -> tuple[Vector, Vector, Vector]:
    """Return G [d, d], m [d], and the means of the columns [d], which are centred here.

    Args:
        design: float64 [n, d].
        outcome: float64 [n], of mean 0.
    """
    means = design.mean(axis=0)
    centred = design - means
    return centred.T @ centred / len(outcome), centred.T @ outcome / len(outcome), means
