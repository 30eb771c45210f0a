"""Drift: how far the features and predictions that are served have moved from those of the training rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.exceptions import ArtefactError, InvalidInputError
from models.scoring.columns import Columns
from models.scoring.standardising import ScalarRows

BINS: Final = 10
"""Bins of the values that there are; one more holds the nulls."""

PREDICTION: Final = "prediction"
"""The name of the last row of a reference: the scorer's prediction."""

# An empty bin would make the index infinite; this is far below what a thousand rows can tell from zero.
_SMOOTHING: Final = 1e-4

_EDGES: Final = "drift_edges"
_SHARES: Final = "drift_shares"


@dataclass(frozen=True, eq=False)
class DriftReference:
    """The distribution of every feature, and of the prediction, over the training rows.

    Bin i of a row holds the values v with edges[i - 1] < v <= edges[i]; the last but one has no upper bound, the last
    holds the nulls. A value that many rows share can make edges equal: the bins between them stay empty.

    Attributes:
        names: the k features.
        edges: float64 [k + 1, 9], not decreasing within a row; the last row is the prediction's.
        shares: float64 [k + 1, 11], of the training rows in each bin; each row sums to 1.
        columns: where the features stand in the rows that are compared; None where these are all of a row.

    Raises:
        ArtefactError: shapes that do not fit, edges that fall or are not finite, shares that are none, columns of other
            features.
    """

    names: tuple[str, ...]
    edges: NDArray[np.float64]
    shares: NDArray[np.float64]
    columns: Columns | None = None

    def __post_init__(self) -> None:
        rows = len(self.names) + 1
        for what, found, width in (("edges", self.edges, BINS - 1), ("shares", self.shares, BINS + 1)):
            if found.shape != (rows, width) or not np.isfinite(found).all():
                raise ArtefactError(
                    f"drift {what}: expected finite numbers of shape [{rows}, {width}], found shape "
                    f"{list(found.shape)}; train the artefact again"
                )
        if (np.diff(self.edges, axis=1) < 0).any():
            raise ArtefactError("drift edges: expected them not to fall, found some that do; train the artefact again")
        if (self.shares < 0).any() or not np.allclose(self.shares.sum(axis=1), 1.0):
            raise ArtefactError("drift shares: expected each row to sum to 1, found others; train the artefact again")
        if self.columns is not None and self.columns.names != self.names:
            raise ArtefactError("columns: expected those of the reference, found others; look them up again")

    @classmethod
    def fit(cls, names: Sequence[str], values: NDArray[np.float64], predictions: NDArray[np.float64]) -> Self:
        """Take the deciles of the training rows as edges.

        Args:
            names: the k features.
            values: float64 [n, k], NaN for null; n >= 1.
            predictions: float64 [n], finite.

        Raises:
            InvalidInputError: shapes that do not fit, no rows, an infinity, or a prediction that is not finite.
        """
        table = _table(values, predictions, len(names))
        if len(table) == 0 or np.isinf(table).any() or np.isnan(table[:, -1]).any():
            raise InvalidInputError("drift reference: expected finite rows, at least one; check the training rows")
        edges = np.array([_deciles(column) for column in table.T])
        return cls(tuple(names), edges, _shares(_bins(edges, table)))

    @classmethod
    def of(cls, names: Sequence[str], tensors: Mapping[str, NDArray[np.float64]]) -> Self:
        """Read a reference that `tensors` wrote.

        Raises:
            ArtefactError: a tensor is missing, or does not fit the names.
        """
        missing = [name for name in (_EDGES, _SHARES) if name not in tensors]
        if missing:
            raise ArtefactError(f"{missing[0]}: expected this tensor, found none; train the artefact again")
        return cls(tuple(names), np.asarray(tensors[_EDGES], float), np.asarray(tensors[_SHARES], float))

    def tensors(self) -> dict[str, NDArray[np.float64]]:
        """Return the tensors that an artefact stores: float64, by names that begin with `drift_`."""
        return {_EDGES: self.edges, _SHARES: self.shares}

    def bins(self, rows: ScalarRows, predictions: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Return the bin of every value: uint8 [n, k + 1], 0..10.

        Args:
            rows: n of them, with the features or, where `columns` says so, with more; None (or NaN) is null.
            predictions: float64 [n].

        Raises:
            InvalidInputError: shapes that do not fit.
        """
        columns = self.columns or Columns.of(self.names, self.names, "the drift reference")
        return _bins(self.edges, _table(columns.pick(rows), predictions, len(self.names)))

    def drift(self, bins: NDArray[np.uint8]) -> dict[str, float]:
        """Return the population stability index of every feature, and of `prediction`, over served rows.

        Args:
            bins: uint8 [n, k + 1] as `bins` gives them; n >= 1.
        """
        index = psi(self.shares, _shares(bins))
        return dict(zip((*self.names, PREDICTION), index.tolist(), strict=True))


def psi(reference_shares: ArrayLike, live_shares: ArrayLike) -> NDArray[np.float64]:
    """Return the population stability index: sum over bins of (live - reference) x ln(live / reference).

    Source: Siddiqi 2006, "Credit Risk Scorecards"; it is the symmetric divergence of Jeffreys 1946. 1e-4 is added to
    both shares of every bin, and they are normalised again, so that an empty bin counts much but not without bound.
    It is 0 for equal shares, never negative, the same both ways round, and the same in any order of the bins. For n
    rows that have not moved it is on average about (bins - 1) / n (Yurdakul 2018), while the reference is much larger.

    Args:
        reference_shares: [..., bins], each sums to 1.
        live_shares: the same shape.

    Returns:
        float64 [...].
    """
    reference, live = (_smoothed(np.asarray(shares, np.float64)) for shares in (reference_shares, live_shares))
    terms = (live - reference) * np.log(live / reference)
    return np.asarray(terms.sum(axis=-1))


def _smoothed(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    smoothed: NDArray[np.float64] = (shares + _SMOOTHING) / (1 + _SMOOTHING * shares.shape[-1])
    return smoothed


def _table(values: NDArray[np.float64], predictions: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    if values.ndim != 2 or values.shape[1] != width or predictions.shape != values.shape[:1]:
        raise InvalidInputError(
            f"drift: expected [n, {width}] values and [n] predictions, found {list(values.shape)} and "
            f"{list(predictions.shape)}; pass every feature, in the order of the names"
        )
    return np.column_stack([values, predictions])


def _deciles(column: NDArray[np.float64]) -> NDArray[np.float64]:
    known = column[~np.isnan(column)]
    if known.size == 0:
        return np.zeros(BINS - 1)
    # Values that occur, not means of two: a count has no decile between 3 and 4.
    return np.quantile(known, np.arange(1, BINS) / BINS, method="inverted_cdf")


def _bins(edges: NDArray[np.float64], table: NDArray[np.float64]) -> NDArray[np.uint8]:
    bins = np.zeros(table.shape, np.uint8)
    for bounds in edges.T:
        bins += table > bounds
    bins[np.isnan(table)] = BINS
    return bins


def _shares(bins: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.stack([(bins == place).mean(axis=0) for place in range(BINS + 1)], axis=1)
