"""A weighted mean of models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from models.exceptions import ArtefactError
from models.scoring.kinds.protocol import PROFILE_ALONE, Model, Vector


@dataclass(frozen=True, eq=False, kw_only=True)
class EnsembleModel:
    """prediction = sum of weight x prediction of a member; contributions and intercept likewise.

    Attributes:
        members: at least one, of the same features, none an ensemble itself.
        weights: float64 [m], >= 0, of sum 1.

    Raises:
        ArtefactError: members or weights that are none of this.
    """

    kind: ClassVar[str] = "ensemble"
    vectors: ClassVar[tuple[str, ...]] = PROFILE_ALONE

    members: tuple[Model, ...]
    weights: Vector

    def __post_init__(self) -> None:
        nested = any(member.kind == self.kind for member in self.members)
        if not self.members or nested or len({member.names for member in self.members}) != 1:
            raise ArtefactError("ensemble: expected members of the same features, found none or others; train it again")
        proper = self.weights.shape == (len(self.members),) and (self.weights >= 0).all()
        if not proper or abs(self.weights.sum() - 1) > 1e-9:
            raise ArtefactError(
                f"ensemble: expected {len(self.members)} weights >= 0 of sum 1, found {self.weights.tolist()}; "
                "train it again"
            )

    @property
    def attribution(self) -> str:
        """The methods of the members that have a weight, in their order, each once."""
        methods = list(dict.fromkeys(member.attribution for _, member in self._weighted))
        return methods[0] if len(methods) == 1 else f"weighted mean of {', '.join(methods)}"

    @property
    def names(self) -> tuple[str, ...]:
        """The k scalar features, in the order of a row."""
        return self.members[0].names

    @cached_property
    def intercept(self) -> float:
        """The prediction before any feature contributes."""
        return float(sum(weight * member.intercept for weight, member in self._weighted))

    def predict(self, values: Vector, profiles: NDArray[np.floating] | None) -> Vector:
        """Return the predictions of n users: float64 [n]; arguments as for `contributions`."""
        predicted = np.zeros(len(values))
        for weight, member in self._weighted:
            predicted += weight * member.predict(values, profiles)
        return predicted

    def contributions(self, values: Vector, profiles: NDArray[np.floating] | None) -> Vector:
        """Return what each feature adds: float64 [n, k + 1], as `Model.contributions` says."""
        terms = np.zeros((len(values), len(self.names) + 1))
        for weight, member in self._weighted:
            terms += weight * member.contributions(values, profiles)
        return terms

    @property
    def _weighted(self) -> Sequence[tuple[float, Model]]:
        return [(weight, member) for weight, member in zip(self.weights.tolist(), self.members, strict=True) if weight]

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return the numbers to write; a member's are named `KIND.NAME`."""
        tensors = {
            f"{member.kind}.{name}": tensor for member in self.members for name, tensor in member.tensors().items()
        }
        return {"member_weights": self.weights, **tensors}

    def document(self) -> dict[str, Any]:
        """Return the members' documents by kind, in their order."""
        return {"members": [{"kind": member.kind, "model": member.document()} for member in self.members]}
