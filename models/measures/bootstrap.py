"""Confidence intervals by resampling users, where a user has several rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.exceptions import InvalidInputError

Vector = NDArray[np.float64]
RowNumbers = NDArray[np.int64]

INTERVAL: Final = (2.5, 97.5)
"""Percentiles of a 95 % interval."""

_REFUSALS: Final = 20
"""The most resamplings refused for each that is kept: beyond it, intervals would speak of another population."""


def resampled_rows(
    users: Sequence[str], *, draws: int, seed: int, usable: Callable[[RowNumbers], bool] | None = None
) -> Iterator[RowNumbers]:
    """Draw users with replacement and yield the rows of those drawn, as often as they were drawn.

    A user's rows resemble each other, so resampling rows would make intervals too narrow. Source: the cluster
    bootstrap, Davison & Hinkley 1997, "Bootstrap methods and their application", section 3.8.

    Args:
        users: [n], the user of each row.
        draws: resamplings, >= 1.
        seed: of the generator; the same arguments give the same rows.
        usable: tells whether something can be measured on these rows; a resampling that is not is drawn again.

    Yields:
        int64 [m], row numbers.

    Raises:
        InvalidInputError: no row, no draw, or hardly any usable resampling.
    """
    if draws < 1 or not len(users):
        raise InvalidInputError(
            f"bootstrap: expected at least one row and one draw, found {len(users)} and {draws}; pass more"
        )
    _, codes, counts = np.unique(np.asarray(users), return_inverse=True, return_counts=True)
    by_user = np.argsort(codes, kind="stable")
    starts = np.cumsum(counts) - counts
    generator = np.random.default_rng(seed)
    kept = 0
    for _ in range(draws * _REFUSALS):
        drawn = generator.integers(0, counts.size, counts.size)
        lengths = counts[drawn]
        shifts = starts[drawn] - (np.cumsum(lengths) - lengths)
        rows = by_user[np.repeat(shifts, lengths) + np.arange(lengths.sum())]
        if usable is None or usable(rows):
            yield rows
            kept += 1
            if kept == draws:
                return
    raise InvalidInputError(
        f"bootstrap: expected resamplings on which everything can be measured, found {kept} among "
        f"{draws * _REFUSALS}; pass rows with more users who spent"
    )


def intervals(draws: Vector) -> Vector:
    """Return the 95 % percentile interval of each column: float64 [2, ...] of float64 [draws, ...].

    Source: Efron & Tibshirani 1993, "An introduction to the bootstrap", chapter 13. NaN, where something could not
    be measured in a draw, is left out.
    """
    bounds: Vector = np.nanpercentile(draws, INTERVAL, axis=0)
    return bounds
