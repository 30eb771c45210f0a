"""How much more often titles go together than chance has it, and the factors behind that."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.finetuning.exceptions import FinetuningError
from models.libraries import FINETUNE, library

MOST_TITLES: Final = 6000
"""Titles that are compared with each other, the most frequent ones: a table of all pairs of more fills the memory."""
LEAST_TITLES: Final = 3
SMOOTHING: Final = 0.75
"""Exponent of the frequency of a title's company, which keeps rare titles from looking close to everything."""

Numbers = NDArray[np.float64]


def taken(groups: NDArray[np.int64], titles: NDArray[np.int64], count: int) -> Any:
    """Count how often each group took each title, on a scale that grows slowly: log(1 + times).

    Args:
        groups: int64[m], the basket or shopper of each line.
        titles: int64[m], the title of each line, below `count`.
        count: n, the number of titles.

    Returns:
        A sparse float64[groups, n].
    """
    sparse = library("scipy.sparse", FINETUNE)
    kept, rows = np.unique(groups, return_inverse=True)
    counts = sparse.coo_matrix((np.ones(len(rows)), (rows, titles)), shape=(len(kept), count)).tocsr()
    counts.sum_duplicates()
    counts.data = np.log1p(counts.data)
    return counts


def association(counts: Any) -> NDArray[np.float32]:
    """Return how much titles belong together: their positive pointwise mutual information.

    max(0, log(p(i, j) / (p(i) q(j)))), over pairs of different titles, with q the frequencies to the power of 0.75
    (Levy, Goldberg and Dagan 2015, Improving distributional similarity with lessons learned from word embeddings,
    sections 2 and 3), made symmetric by the mean of both directions.

    Args:
        counts: sparse float64[groups, n], as `taken` makes it.

    Returns:
        float32[n, n], symmetric, its diagonal 0.

    Raises:
        FinetuningError: no two titles were ever taken together.
    """
    together = (counts.T @ counts).toarray()
    np.fill_diagonal(together, 0.0)
    company = together.sum(0)
    total = company.sum()
    if total == 0:
        raise FinetuningError(
            "expected titles that were bought together, found none: give purchases of several titles per basket or "
            "shopper"
        )
    smoothed = company**SMOOTHING
    # In place: a table of all pairs is large.
    with np.errstate(divide="ignore", invalid="ignore"):
        together /= company[:, None]
        together /= smoothed / smoothed.sum()
    # A title without company divides 0 by 0, and fmax makes that a 1 too, whose logarithm is 0.
    information = np.log(np.fmax(together, 1.0, out=together), out=together).astype(np.float32)
    result: NDArray[np.float32] = (information + information.T) / 2
    return result


def factors(information: NDArray[np.float32], width: int) -> Numbers:
    """Return the factors of titles: those of one factor are taken by the same people.

    They are the leading eigenvectors of the association, each times its eigenvalue, and signed so that the largest
    component is positive.

    Args:
        information: float32[n, n], as `association` makes it.
        width: number of factors wanted.

    Returns:
        float64[n, k], k = min(width, n - 1), the strongest first; a factor without strength is 0.

    Raises:
        FinetuningError: fewer than three titles, or none that go together more often than others.
    """
    n = len(information)
    if n < LEAST_TITLES:
        raise FinetuningError(f"expected at least {LEAST_TITLES} titles, found {n}: give purchases of more titles")
    if not information.any():
        raise FinetuningError(
            "expected titles that go together more often than others, found that all do alike: give more purchases"
        )
    solver = library("scipy.sparse.linalg", FINETUNE)
    try:
        # A given start makes the outcome the same every time.
        values, vectors = solver.eigsh(information.astype(np.float64), min(width, n - 1), which="LA", v0=np.ones(n))
    except solver.ArpackError:
        # Eigenvalues that lie too close for the iteration: all of them are found instead, which takes longer.
        values, vectors = np.linalg.eigh(information.astype(np.float64))
        values, vectors = values[-min(width, n - 1) :], vectors[:, -min(width, n - 1) :]
    order = np.argsort(-values)
    values, vectors = values[order], vectors[:, order]
    signs = np.sign(np.take_along_axis(vectors, np.abs(vectors).argmax(axis=0, keepdims=True), axis=0))
    result: Numbers = vectors * signs * np.maximum(values, 0.0)
    return result
