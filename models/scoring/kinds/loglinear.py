"""The log-linear model: the power mean of money is the exponential of a sum of terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from models.exceptions import ArtefactError
from models.scoring.kinds.derived import Derived
from models.scoring.kinds.protocol import (
    PROFILE_ALONE,
    Tensors,
    TensorTypes,
    Vector,
    checked_inputs,
    one_number,
    predictions_of,
    require_finite,
    require_weights,
)
from models.scoring.standardising import Standardiser

INTEGRATED_GRADIENTS: Final = "integrated_gradients"
"""The prediction rises from the intercept along the straight line from the mean shopper. A term's contribution on the
way is its share of the sum of terms, without any approximation (Sundararajan, Taly & Yan 2017)."""

# Nearer than this to the mean shopper the quotient of two differences loses digits, and its limit has lost none.
_NEAR: Final = 1e-5


@dataclass(frozen=True, eq=False, kw_only=True)
class LogLinearModel:
    """prediction = log1p(exp(level + sum of weight x standardised column + sum of weight x profile element)).

    Attributes:
        derived: the columns made of the k scalars.
        standardiser: of the k scalars and the d derived columns.
        weights: float64 [k + d], per standard deviation of a transformed column.
        profile_weights: float64 [64], per unit of a profile element (which is not standardised).
        level: the logarithm of money for a shopper with mean columns and no profile.

    Raises:
        ArtefactError: sizes that do not fit, or numbers that are not finite.
    """

    kind: ClassVar[str] = "loglinear"
    attribution: ClassVar[str] = INTEGRATED_GRADIENTS
    vectors: ClassVar[tuple[str, ...]] = PROFILE_ALONE
    tensor_types: ClassVar[TensorTypes] = dict.fromkeys(
        ("level", "means", "profile_weights", "scales", "weights"), ("float64", 1)
    )

    derived: Derived
    standardiser: Standardiser
    weights: Vector
    profile_weights: Vector
    level: float

    def __post_init__(self) -> None:
        names = (*self.derived.names, *self.derived.columns)
        require_weights(self.weights, self.profile_weights, len(names))
        if self.standardiser.names != names:
            raise ArtefactError("columns: expected the features and what is made of them, found others; train it again")
        require_finite("weights", np.array([self.level]))

    @property
    def names(self) -> tuple[str, ...]:
        """The k scalar features, in the order of a row."""
        return self.derived.names

    @property
    def intercept(self) -> float:
        """The prediction for a shopper with mean columns and no profile."""
        return float(np.logaddexp(0.0, self.level))

    def predict(self, values: Vector, profiles: NDArray[np.floating] | None) -> Vector:
        """Return the predictions of n users: float64 [n]; arguments as for `contributions`."""
        return predictions_of(self.intercept, self.contributions(values, profiles))

    def contributions(self, values: Vector, profiles: NDArray[np.floating] | None) -> Vector:
        """Return what each feature adds, by integrated gradients: float64 [n, k + 1], as `Model.contributions` says.

        A derived column counts with the feature that it is chiefly made of. As in the linear model no matrix product
        is used, so that a row's numbers do not depend on the rows beside it.
        """
        matrix, vectors = checked_inputs(values, profiles, len(self.names))
        own = self.standardiser.apply(self.derived.extend(matrix))
        own *= self.weights
        terms = np.empty((len(matrix), len(self.names) + 1))
        terms[:, :-1] = own[:, : len(self.names)]
        for column, owner in enumerate(self.derived.owners.tolist(), start=len(self.names)):
            terms[:, owner] += own[:, column]
        terms[:, -1] = 0.0 if profiles is None else (vectors * self.profile_weights).sum(axis=1)
        terms *= self._slope(terms.sum(axis=1))[:, np.newaxis]
        return terms

    def _slope(self, above: Vector) -> Vector:
        """Return how much the prediction rises for each unit of the sum of terms, float64 [n], on the way to it."""
        near = np.abs(above) < _NEAR
        rise = np.logaddexp(0.0, self.level + above) - self.intercept
        limit = 1.0 / (1.0 + np.exp(-self.level))
        return np.where(near, limit, rise / np.where(near, 1.0, above))

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return the numbers to write, by name."""
        return {
            "level": np.array([self.level]),
            "profile_weights": self.profile_weights,
            "weights": self.weights,
            **self.standardiser.tensors(),
        }

    def document(self) -> dict[str, Any]:
        """Return the transforms of the columns and the half-lives of the derived ones."""
        return {**self.standardiser.document(), "half_lives_days": list(self.derived.half_lives_days)}

    @classmethod
    def of(cls, names: Sequence[str], document: Mapping[str, Any], tensors: Tensors) -> Self:
        """Make the model again from what `document` and `tensors` returned.

        Raises:
            ArtefactError: they hold no such model.
        """
        level = one_number("level", tensors)
        derived = Derived(tuple(names), tuple(float(days) for days in document["half_lives_days"]))
        return cls(
            derived=derived,
            standardiser=Standardiser.of((*derived.names, *derived.columns), document, tensors),
            weights=tensors["weights"],
            profile_weights=tensors["profile_weights"],
            level=level,
        )
