"""The linear model: penalised least squares on log1p(money)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from models.exceptions import ArtefactError
from models.profile import WIDTH
from models.scoring.kinds.protocol import (
    EXACT,
    PROFILE_ALONE,
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
    """prediction = intercept + sum of weight x standardised scalar + sum of weight x element of a vector.

    Attributes:
        standardiser: of the k scalars.
        weights: float64 [k], per standard deviation of a transformed scalar.
        vector_weights: float64 [64 v], per unit of an element (which is not standardised), vector after vector.
        intercept: the prediction for a shopper with mean scalars and no text.
        vectors: the names of the v vectors, in their order.

    Raises:
        ArtefactError: sizes that do not fit, or numbers that are not finite.
    """

    kind: ClassVar[str] = "linear"
    attribution: ClassVar[str] = EXACT

    standardiser: Standardiser
    weights: NDArray[np.float64]
    vector_weights: NDArray[np.float64]
    intercept: float
    vectors: tuple[str, ...] = PROFILE_ALONE

    def __post_init__(self) -> None:
        require_weights(self.weights, self.vector_weights, len(self.standardiser.names), len(self.vectors))
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
        """Return what each feature adds: float64 [n, k + v], as `Model.contributions` says.

        A row's numbers do not depend, to the last bit, on the rows beside it: no matrix product is used,
        whose order of summation changes with the size of the batch.
        """
        values = as_matrix(values, len(self.weights))
        scalars = len(self.weights)
        terms = np.zeros((len(values), scalars + len(self.vectors)))
        np.multiply(self.standardiser.apply(values), self.weights, out=terms[:, :scalars])
        if profiles is not None:
            require_profiles(profiles, len(values), len(self.vectors))
            for place, part in enumerate(self._parts):
                terms[:, scalars + place] = (profiles[:, part] * self.vector_weights[part]).sum(axis=1)
        return terms

    @property
    def _parts(self) -> list[slice]:
        """Where the elements of each vector stand among all of them."""
        return [slice(WIDTH * place, WIDTH * (place + 1)) for place in range(len(self.vectors))]

    @classmethod
    def types_of(cls, document: Mapping[str, Any]) -> TensorTypes:
        """Return dtype and axes of each tensor of a model that this document describes."""
        of_vectors = [_tensor_of(vector) for vector in _vectors_of(document)]
        return dict.fromkeys(("intercept", "means", "scales", "weights", *of_vectors), ("float64", 1))

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return the numbers to write, by name."""
        return {
            "intercept": np.array([self.intercept]),
            "weights": self.weights,
            **{
                _tensor_of(name): self.vector_weights[part]
                for name, part in zip(self.vectors, self._parts, strict=True)
            },
            **self.standardiser.tensors(),
        }

    def document(self) -> dict[str, Any]:
        """Return the transforms of the features, and the vectors unless the profile is the only one."""
        beside = {} if self.vectors == PROFILE_ALONE else {"vectors": list(self.vectors)}
        return {**self.standardiser.document(), **beside}

    @classmethod
    def of(cls, names: Sequence[str], document: Mapping[str, Any], tensors: Tensors) -> Self:
        """Make the model again from what `document` and `tensors` returned.

        Raises:
            ArtefactError: they hold no such model.
        """
        intercept = one_number("intercept", tensors)
        vectors = _vectors_of(document)
        return cls(
            standardiser=Standardiser.of(names, document, tensors),
            weights=tensors["weights"],
            vector_weights=np.concatenate([tensors[_tensor_of(vector)] for vector in vectors]),
            intercept=intercept,
            vectors=vectors,
        )


def _vectors_of(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the vectors of a model that this document describes.

    Raises:
        ArtefactError: none, one twice, or something that is no name.
    """
    # What is no mapping describes no model, which `of` says in its own words.
    vectors = document.get("vectors", PROFILE_ALONE) if isinstance(document, Mapping) else PROFILE_ALONE
    named = isinstance(vectors, list | tuple) and all(isinstance(name, str) for name in vectors)
    if not named or not vectors or len(set(vectors)) < len(vectors):
        raise ArtefactError(
            "vectors: expected different names, at least one, found otherwise; train the artefact again"
        )
    return tuple(vectors)


def _tensor_of(vector: str) -> str:
    """Return the name of the tensor that holds a vector's weights, such as `profile_weights` of `profile_vector`."""
    return f"{vector.removesuffix('_vector')}_weights"
