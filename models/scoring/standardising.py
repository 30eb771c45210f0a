"""From a feature row to standardised numbers: compress heavy tails, centre, scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from models.exceptions import ArtefactError, InvalidInputError

ScalarRows = Sequence[Sequence[int | float | None]] | NDArray[np.float64]
"""Feature rows, n of them, each with its values in the order of the names; None (or NaN) is null."""


class Transform(StrEnum):
    """A function that is applied to a feature before it is standardised; artefacts name it by these values."""

    IDENTITY = "identity"
    """For ratios and ratings."""
    SIGNED_LOG1P = "signed_log1p"
    """For counts, money and days, which are heavy-tailed."""


# Below this share of its mean, a column's spread is rounding noise and would be blown up by dividing by it.
_SMALLEST_RELATIVE_SCALE: Final = 1e-9


def as_matrix(rows: ScalarRows, width: int) -> NDArray[np.float64]:
    """Turn feature rows into one matrix, null as NaN.

    Args:
        rows: n rows of `width` values.
        width: number of features.

    Returns:
        float64 [n, width], C-contiguous.

    Raises:
        InvalidInputError: a row has another length, or holds something that is not a number or None.
    """
    if len(rows) == 0:
        return np.empty((0, width))
    try:
        matrix = np.ascontiguousarray(rows, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        matrix = np.empty(0)
    if matrix.shape != (len(rows), width):
        raise InvalidInputError(
            f"feature rows: expected {width} numbers (or None) in each of {len(rows)} rows, found something "
            "else; pass every feature, in the order of the names"
        )
    return matrix


@dataclass(frozen=True, eq=False, kw_only=True)
class Standardiser:
    """Transforms features by name, subtracts their mean and divides by their scale; null becomes 0.

    A null thus counts as the mean of the population it was fitted on: it neither raises nor lowers a score.

    Attributes:
        names: the features, in the order of a row's values.
        transforms: the transform of each.
        means: float64 [k], mean of each transformed feature over the rows that have it.
        scales: float64 [k], its standard deviation (population form); 1 where it does not vary.

    Raises:
        ArtefactError: sizes that do not fit, numbers that are not finite, a scale that is not positive.
    """

    names: tuple[str, ...]
    transforms: tuple[Transform, ...]
    means: NDArray[np.float64]
    scales: NDArray[np.float64]

    def __post_init__(self) -> None:
        sizes = {len(self.names), len(self.transforms), self.means.size, self.scales.size}
        if len(sizes) != 1 or self.means.ndim != 1 or self.scales.ndim != 1:
            raise ArtefactError(
                f"features: expected {len(self.names)} transforms, means and scales, found "
                f"{len(self.transforms)}, {self.means.size} and {self.scales.size}; train the artefact again"
            )
        if not (np.isfinite(self.means).all() and np.isfinite(self.scales).all() and (self.scales > 0).all()):
            raise ArtefactError(
                "features: expected finite means and positive finite scales, found others; train it again"
            )

    @classmethod
    def fit(
        cls, names: Sequence[str], values: NDArray[np.float64], given: Mapping[str, Transform] | None = None
    ) -> Self:
        """Measure mean and scale of every feature.

        Args:
            names: the k features.
            values: float64 [n, k], NaN where null.
            given: transforms by name; a feature without one gets `Transform.SIGNED_LOG1P`.
        """
        transforms = tuple((given or {}).get(name, Transform.SIGNED_LOG1P) for name in names)
        means, scales, varies = _measured(_transformed(values, _logged(transforms)))
        return cls(names=tuple(names), transforms=transforms, means=means, scales=np.where(varies, scales, 1.0))

    def tensors(self) -> dict[str, NDArray[np.float64]]:
        """Return the numbers to write, by name: `means` and `scales`."""
        return {"means": self.means, "scales": self.scales}

    def document(self) -> dict[str, Any]:
        """Return what else is to be written, as JSON can hold it: `transforms`."""
        return {"transforms": [str(transform) for transform in self.transforms]}

    @classmethod
    def of(cls, names: Sequence[str], document: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> Self:
        """Make the standardiser again from what `document` and `tensors` returned.

        Raises:
            KeyError: one of them is missing.
            ValueError: a transform is unknown.
            ArtefactError: sizes that do not fit, or numbers that are not those of a standardiser.
        """
        return cls(
            names=tuple(names),
            transforms=tuple(Transform(name) for name in document["transforms"]),
            means=tensors["means"],
            scales=tensors["scales"],
        )

    def apply(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Standardise feature rows.

        Args:
            values: float64 [n, k], NaN where null.

        Returns:
            float64 [n, k], without NaN.
        """
        standardised = _transformed(values, self._logged)
        standardised -= self.means
        standardised /= self.scales
        standardised[np.isnan(standardised)] = 0.0
        return standardised

    @cached_property
    def _logged(self) -> NDArray[np.bool_]:
        return _logged(self.transforms)


def varying(
    names: Sequence[str], values: NDArray[np.float64], given: Mapping[str, Transform] | None = None
) -> NDArray[np.bool_]:
    """Tell which features vary; arguments as for `Standardiser.fit`.

    A null counts as the mean, so a feature that is either null or always the same does not vary.

    Returns:
        bool [k].
    """
    transforms = [(given or {}).get(name, Transform.SIGNED_LOG1P) for name in names]
    return _measured(_transformed(values, _logged(transforms)))[2]


def _measured(
    transformed: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return the mean and the scale of every column, each float64 [k], and whether it varies, bool [k]."""
    present = ~np.isnan(transformed)
    counts = np.maximum(present.sum(axis=0), 1)
    means = np.where(present, transformed, 0.0).sum(axis=0) / counts
    scales = np.sqrt((np.where(present, transformed - means, 0.0) ** 2).sum(axis=0) / counts)
    varies: NDArray[np.bool_] = scales > _SMALLEST_RELATIVE_SCALE * np.maximum(np.abs(means), 1.0)
    # A sum of equal values rounds: the mean would differ from them in its last digits, and a weight be fitted to that.
    least = np.where(present, transformed, np.inf).min(axis=0, initial=np.inf)
    return np.where(varies | ~present.any(axis=0), means, least), scales, varies


def _logged(transforms: Sequence[Transform]) -> NDArray[np.bool_]:
    return np.array([transform is Transform.SIGNED_LOG1P for transform in transforms], dtype=np.bool_)


def _transformed(values: NDArray[np.float64], logged: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return sign(x) log(1 + |x|) in the logged columns, x in the others; NaN stays NaN."""
    return np.where(logged, np.copysign(np.log1p(np.abs(values)), values), values)
