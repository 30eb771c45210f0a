"""The linear model: penalised least squares on log1p(money)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from models.exceptions import ArtefactError
from models.scoring.kinds.protocol import (
    EXACT,
    Tensors,
    TensorTypes,
    Vector,
    one_number,
    predictions_of,
    require_profiles,
    require_weights,
)
from models.scoring.standardising import Standardiser, as_matrix


@dataclass(frozen=True, eq=False, kw_only=True)
class LinearModel:
    """prediction = intercept + sum of weight x standardised scalar + sum of weight x profile element.

    Attributes:
        standardiser: of the k scalars.
        weights: float64 [k], per standard deviation of a transformed scalar.
        profile_weights: float64 [64], per unit of a profile element (which is not standardised).
        intercept: the prediction for a shopper with mean scalars and no profile.

    Raises:
        ArtefactError: sizes that do not fit, or numbers that are not finite.
    """

    kind: ClassVar[str] = "linear"
    attribution: ClassVar[str] = EXACT
    tensor_types: ClassVar[TensorTypes] = dict.fromkeys(
        ("intercept", "means", "profile_weights", "scales", "weights"), ("float64", 1)
    )

    standardiser: Standardiser
    weights: NDArray[np.float64]
    profile_weights: NDArray[np.float64]
    intercept: float

    def __post_init__(self) -> None:
        require_weights(self.weights, self.profile_weights, len(self.standardiser.names))
        if not np.isfinite(self.intercept):
            raise ArtefactError("intercept: expected a finite number, found none; train the artefact again")

    @property
    def names(self) -> tuple[str, ...]:
        """The k scalar features, in the order of a row."""
        return self.standardiser.names

    def predict(self, values: Vector, profiles: NDArray[np.floating] | None) -> Vector:
        """Return the predictions of n users: float64 [n]; arguments as for `contributions`."""
        return predictions_of(self.intercept, self.contributions(values, profiles))

    def contributions(self, values: Vector, profiles: NDArray[np.floating] | None) -> Vector:
        """Return what each feature adds: float64 [n, k + 1], as `Model.contributions` says.

        A row's numbers do not depend, to the last bit, on the rows beside it: no matrix product is used,
        whose order of summation changes with the size of the batch.
        """
        values = as_matrix(values, len(self.weights))
        terms = np.empty((len(values), len(self.weights) + 1))
        np.multiply(self.standardiser.apply(values), self.weights, out=terms[:, :-1])
        terms[:, -1] = 0.0 if profiles is None else self._profile_terms(profiles, len(values))
        return terms

    def _profile_terms(self, profiles: NDArray[np.floating], rows: int) -> NDArray[np.float64]:
        require_profiles(profiles, rows)
        summed: NDArray[np.float64] = (profiles * self.profile_weights).sum(axis=1)
        return summed

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return the numbers to write, by name."""
        return {
            "intercept": np.array([self.intercept]),
            "profile_weights": self.profile_weights,
            "weights": self.weights,
            **self.standardiser.tensors(),
        }

    def document(self) -> dict[str, Any]:
        """Return the transforms of the features."""
        return self.standardiser.document()

    @classmethod
    def of(cls, names: Sequence[str], document: Mapping[str, Any], tensors: Tensors) -> Self:
        """Make the model again from what `document` and `tensors` returned.

        Raises:
            ArtefactError: they hold no such model.
        """
        intercept = one_number("intercept", tensors)
        return cls(
            standardiser=Standardiser.of(names, document, tensors),
            weights=tensors["weights"],
            profile_weights=tensors["profile_weights"],
            intercept=intercept,
        )
