"""The linear model: penalised least squares on log1p(money)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from models.exceptions import ArtefactError
from models.scorers.protocol import EXACT, Fitted, Tensors, TensorTypes, Vector, require_profiles, require_weights
from models.training_rows import TrainingRows
from models.transform import Standardiser, Transform, as_matrix

EPOCHS: Final = 5000
"""With 101 features the minimum is met to 13 digits; where columns nearly coincide, predictions to 1e-4."""


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
        predicted: Vector = self.intercept + self.contributions(values, profiles).sum(axis=1)
        return predicted

    def contributions(self, values: Vector, profiles: NDArray[np.floating] | None) -> Vector:
        """Split the predictions of n users into what each feature adds.

        A row's numbers do not depend, to the last bit, on the rows beside it: no matrix product is used,
        whose order of summation changes with the size of the batch.

        Args:
            values: float64 [n, k], NaN for null.
            profiles: [n, 64], or None to score from behaviour alone.

        Returns:
            float64 [n, k + 1]; the last column is the whole profile vector's.

        Raises:
            InvalidInputError: shapes that do not fit.
        """
        values = as_matrix(values, len(self.weights))
        terms = np.empty((len(values), len(self.weights) + 1))
        np.multiply(self.standardiser.apply(values), self.weights, out=terms[:, :-1])
        terms[:, -1] = 0.0 if profiles is None else self._profile_terms(profiles, len(values))
        # Minus zero would be printed as such.
        terms += 0.0
        return terms

    def _profile_terms(self, profiles: NDArray[np.floating], rows: int) -> NDArray[np.float64]:
        require_profiles(profiles, rows)
        summed: NDArray[np.float64] = (profiles * self.profile_weights).sum(axis=1)
        return summed

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return the numbers to write, by name."""
        return {
            "intercept": np.array([self.intercept]),
            "means": self.standardiser.means,
            "profile_weights": self.profile_weights,
            "scales": self.standardiser.scales,
            "weights": self.weights,
        }

    def document(self) -> dict[str, Any]:
        """Return the transforms of the features."""
        return {"transforms": [str(transform) for transform in self.standardiser.transforms]}

    @classmethod
    def of(cls, names: Sequence[str], document: Mapping[str, Any], tensors: Tensors) -> Self:
        """Make the model again from what `document` and `tensors` returned.

        Raises:
            ArtefactError: they hold no such model.
        """
        if tensors["intercept"].size != 1:
            raise ArtefactError("intercept: expected one number, found others; train the artefact again")
        return cls(
            standardiser=Standardiser(
                names=tuple(names),
                transforms=tuple(Transform(name) for name in document["transforms"]),
                means=tensors["means"],
                scales=tensors["scales"],
            ),
            weights=tensors["weights"],
            profile_weights=tensors["profile_weights"],
            intercept=float(tensors["intercept"].item()),
        )


def fit_linear(
    names: Sequence[str],
    rows: TrainingRows,
    *,
    weight_decay: float,
    epochs: int = EPOCHS,
    report: Callable[[int], None] | None = None,
) -> Fitted:
    """Fit the linear model with one weight decay, by full-batch AdamW from zero.

    Args:
        names: the k features.
        rows: what to fit.
        weight_decay: the L2 penalty, > 0.
        epochs: number of steps.
        report: called with the steps done, every 100 steps and at the end.
    """
    return Fitted(fit_many(names, [rows], np.array([weight_decay]), epochs=epochs, report=report)[0][0], epochs)


def fit_many(
    names: Sequence[str],
    parts: Sequence[TrainingRows],
    decays: Vector,
    *,
    epochs: int = EPOCHS,
    report: Callable[[int], None] | None = None,
) -> list[list[LinearModel]]:
    """Fit one model for each part of the rows and each weight decay, side by side: much faster than one by one."""
    from models.descent import penalised_least_squares

    standardisers = [Standardiser.fit(names, part.values) for part in parts]
    designs = [
        np.hstack([standardiser.apply(part.values), part.profiles])
        for standardiser, part in zip(standardisers, parts, strict=True)
    ]
    outcomes = [part.target for part in parts]
    weights = penalised_least_squares(designs, outcomes, decays, epochs=epochs, report=report)
    models = []
    for standardiser, design, part, by_decay in zip(standardisers, designs, parts, weights, strict=True):
        models.append([_model(standardiser, row, design, part.target) for row in by_decay])
    return models


def _model(standardiser: Standardiser, weights: Vector, design: Vector, target: Vector) -> LinearModel:
    count = len(standardiser.names)
    # Centring took the intercept out of the penalty; this puts it back.
    intercept = target.mean() - (design.mean(axis=0) * weights).sum()
    return LinearModel(
        standardiser=standardiser,
        weights=weights[:count].copy(),
        profile_weights=weights[count:].copy(),
        intercept=float(intercept),
    )
