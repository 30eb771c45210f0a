"""The protocol of a model as the scorer calls it, and the result of a fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from models.exceptions import ArtefactError, InvalidInputError
from models.profile import WIDTH
from models.scoring.standardising import ScalarRows, as_matrix

Vector = NDArray[np.float64]
Tensors = Mapping[str, NDArray[Any]]
TensorTypes = Mapping[str, tuple[str, int]]
"""By name, the dtype and the number of axes of a tensor."""

EXACT: Final = "exact"
"""The attribution of a model that is a sum of one term for each feature."""


PROFILE_ALONE: Final = ("profile_vector",)
"""The vectors of a model of spend."""


class Model(Protocol):
    """Predicts a number from k scalars and v vectors of 64, and says what each of them added.

    A scorer of spend predicts log1p of money, from the profile alone beside the scalars.

    A row's numbers do not depend, to the last bit, on the rows beside it, and need neither a training library
    nor more than numpy.
    """

    @property
    def kind(self) -> str:
        """Its name in an artefact: `loglinear`, `linear`, `ziln`, `gbm` or `ensemble`."""

    @property
    def attribution(self) -> str:
        """How a prediction is divided among the features; `exact` where the model is a sum of such terms."""

    @property
    def names(self) -> tuple[str, ...]:
        """The k scalar features, in the order of a row."""

    @property
    def vectors(self) -> tuple[str, ...]:
        """The names of the v vectors, in the order of their elements."""

    @property
    def intercept(self) -> float:
        """The prediction before any feature contributes."""

    def predict(self, values: Vector, profiles: NDArray[np.floating] | None) -> Vector:
        """Return the predictions of n users: float64 [n].

        Args:
            values: float64 [n, k], NaN for null.
            profiles: [n, 64 v], the vectors side by side, each unit or zero; None counts as zero.
        """

    def contributions(self, values: Vector, profiles: NDArray[np.floating] | None) -> Vector:
        """Return what each feature adds.

        Args:
            values: float64 [n, k], NaN for null.
            profiles: [n, 64 v], or None to score from behaviour alone.

        Returns:
            float64 [n, k + v]; the last columns are the vectors', one for each as a whole. With the intercept a row
            sums to its prediction, to 1e-9.

        Raises:
            InvalidInputError: shapes that do not fit; of a model that would hide them, numbers that are not finite.
        """

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return the numbers to write, by name."""

    def document(self) -> dict[str, Any]:
        """Return what else is to be written, as JSON can hold it; names apart."""


class Fitted(NamedTuple):
    """The result of a fit.

    Attributes:
        model: ready to predict.
        rounds: epochs or trees that early stopping kept; those asked for where nothing stopped it.
    """

    model: Model
    rounds: int


Watch = Callable[[str, int, float], None]
"""Called with the name of a loss, the step and the loss, as a fit goes on."""


def predictions_of(intercept: float, contributions: Vector) -> Vector:
    """Return the predictions that these contributions add up to: float64 [n] from float64 [n, k + v]."""
    predicted: Vector = intercept + contributions.sum(axis=1)
    return predicted


def one_number(name: str, tensors: Tensors) -> float:
    """Return the only number of a tensor of an artefact.

    Raises:
        ArtefactError: it holds none, or several.
    """
    if tensors[name].size != 1:
        raise ArtefactError(f"{name}: expected one number, found others; train the artefact again")
    return float(tensors[name].item())


def checked_inputs(values: ScalarRows, profiles: NDArray[np.floating] | None, width: int) -> tuple[Vector, Vector]:
    """Return values as float64 [n, width] and profiles as float64 [n, 64], zero for None.

    A model that bounds what an input can do, by tanh or by thresholds, would hide an input that is not a number.

    Raises:
        InvalidInputError: other shapes, an infinity, or NaN in a profile.
    """
    matrix = as_matrix(values, width)
    vectors = np.zeros((len(matrix), WIDTH)) if profiles is None else np.asarray(profiles, dtype=np.float64)
    require_profiles(vectors, len(matrix))
    if np.isinf(matrix).any() or not np.isfinite(vectors).all():
        raise InvalidInputError(
            "features: expected finite numbers, found infinity, or NaN in a profile; check what was read"
        )
    return matrix, vectors


def require_profiles(profiles: NDArray[np.floating], rows: int, vectors: int = 1) -> None:
    """Refuse profiles, or several vectors side by side, that are not [rows, 64 x vectors].

    Raises:
        InvalidInputError: another shape.
    """
    if profiles.shape != (rows, WIDTH * vectors):
        raise InvalidInputError(
            f"profiles: expected shape [{rows}, {WIDTH * vectors}], found {list(profiles.shape)}; "
            "pass one profile vector for each feature row"
        )


def require_weights(weights: Vector, vector_weights: Vector, columns: int, vectors: int = 1) -> None:
    """Refuse weights of an artefact that are not [columns] and [64 x vectors], or not finite.

    Raises:
        ArtefactError: another shape, or NaN or infinity among them.
    """
    if weights.shape != (columns,):
        raise ArtefactError(
            f"weights: expected one for each of {columns} columns, found {list(weights.shape)}; "
            "train the artefact again"
        )
    if vector_weights.shape != (WIDTH * vectors,):
        raise ArtefactError(
            f"profile weights: expected {WIDTH * vectors}, found {list(vector_weights.shape)}; train it again"
        )
    require_finite("weights", weights, vector_weights)


def require_finite(name: str, *arrays: NDArray[Any]) -> None:
    """Refuse numbers of an artefact that are not finite.

    Raises:
        ArtefactError: one of them is not.
    """
    if not all(np.isfinite(array).all() for array in arrays):
        raise ArtefactError(f"{name}: expected finite numbers, found NaN or infinity; train it again")
