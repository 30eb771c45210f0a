"""The capacity artefact in use: one immutable object, as `streams.inference.active_scorer.Scoring` is for scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from features.catalogue import NAMES, PROFILE_WIDTH
from streams.inference.active_scorer import Rows

EVIDENCE: Final = "lifetime_orders"
"""The feature that says on how much a user's estimate rests."""

UNKNOWN: Final = "unknown"
"""The band of a user of too little evidence."""

Vectors = Mapping[str, NDArray[np.float32]]
"""By the name of a vector feature, float32 [n, 64]."""


class Predicted(Protocol):
    """What an artefact predicts of n users.

    Attributes:
        prediction: float64 [n].
        capacity: float64 [n], 0..100.
        band: `lower`, `middle` or `upper`.
        intercept: of the predictions.
    """

    prediction: NDArray[np.float64]
    capacity: NDArray[np.float64]
    band: Sequence[str]
    intercept: float

    def reasons(self, position: int) -> list[tuple[str, float]]:
        """Return the largest contributions to the prediction of one user; with the intercept they sum to it."""


class CapacityModel(Protocol):
    """What is asked of a capacity artefact that serves.

    Attributes:
        version: its identity.
        attribution: how a prediction is divided among its reasons.
        evidence: the orders below which it says nothing.
    """

    version: str
    attribution: str
    evidence: int

    def predict(self, rows: Rows, vectors: Vectors, *, use_vectors: bool) -> Predicted:
        """Predict: rows in the order of the catalogue; without `use_vectors` from behaviour alone."""


class Estimate(NamedTuple):
    """What is said of one user; `capacity` and `prediction` are None for one of too little evidence."""

    capacity: float | None
    prediction: float | None
    band: str
    evidence: int
    reasons: list[tuple[str, float]]


@dataclass(frozen=True, eq=False)
class Estimating:
    """A capacity artefact that has been accepted for the running encoder.

    Attributes:
        artefact: see above.
        model: the field `model` of its records.
        fitted: whether it was fitted for the running encoder; if not, it estimates from behaviour alone.
    """

    artefact: CapacityModel
    model: Mapping[str, Any]
    fitted: bool

    @classmethod
    def of(cls, artefact: CapacityModel, encoder: str, fitted: bool) -> Self:
        """Make one for a running encoder of this identity."""
        model = {"scorer": artefact.version, "encoder": encoder, "attribution": artefact.attribution}
        return cls(artefact, model, fitted)

    @property
    def version(self) -> str:
        """The artefact's version, as every record names it."""
        return str(self.model["scorer"])

    @cached_property
    def _evidence_at(self) -> int:
        return NAMES.index(EVIDENCE)

    def estimate(self, rows: Rows, vectors: Vectors) -> tuple[float, list[Estimate]]:
        """Return the intercept, and what is said of each user: rows in the order of the catalogue."""
        found = self.artefact.predict(rows, vectors, use_vectors=self.fitted)
        numbers = zip(found.prediction.tolist(), found.capacity.tolist(), found.band, strict=True)
        estimates = []
        for position, (row, (prediction, capacity, band)) in enumerate(zip(rows, numbers, strict=True)):
            evidence = int(row[self._evidence_at] or 0)
            if evidence < self.artefact.evidence:
                estimates.append(Estimate(None, None, UNKNOWN, evidence, []))
            else:
                estimates.append(Estimate(capacity, prediction, band, evidence, found.reasons(position)))
        return found.intercept, estimates

    def try_out(self) -> None:
        """Estimate a user without any known feature, so that an artefact that cannot predict fails before it serves."""
        nothing = np.zeros((1, PROFILE_WIDTH), np.float32)
        self.artefact.predict(
            [(None,) * len(NAMES)], {"profile_vector": nothing, "taste_vector": nothing}, use_vectors=self.fitted
        )
