"""The second head: purchasing capacity, an ordinal estimate of what a shopper is able to spend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from models.exceptions import ArtefactError, InvalidInputError
from models.scoring.by_name import ByName
from models.scoring.kinds.protocol import predictions_of
from models.scoring.population import require_reference, share_at_most
from models.scoring.reasons import Explained
from models.scoring.standardising import ScalarRows, as_matrix

VECTORS: Final = ("profile_vector", "taste_vector")
"""The vectors that the head reads beside the scalars: what a shopper writes, and what the shop calls what they take."""

EVIDENCE: Final = "lifetime_orders"
"""The scalar that says how much is known of a shopper."""

BANDS: Final = ("lower", "middle", "upper")
BAND_BOUNDS: Final = (33.3, 66.7)
"""The least capacity of each band but the first."""

UNKNOWN: Final = "unknown"
"""The band of a shopper of whom too little is known."""

NOT_FOR: Final = ("personal_pricing", "credit", "employment", "housing", "insurance")
"""What nobody may be judged for by this estimate, as every record says."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Capacities(Explained):
    """Capacities of n users, in the order they were passed; null where the evidence is less than the least.

    Attributes:
        evidence: of each user, the number of orders.
        capacity: 0..100, or None.
        prediction: the expected share of the labelled users whose label is less, half of the equal ones included; or
            None.
        band: of `BANDS`, or `UNKNOWN`.
    """

    evidence: list[int]
    capacity: list[float | None]
    prediction: list[float | None]
    band: list[str]

    def reasons(self, i: int) -> list[tuple[str, float]]:
        """Explain the prediction of user i as `Explained.reasons` does; empty where there is none."""
        return [] if self.prediction[i] is None else super().reasons(i)


@dataclass(frozen=True, eq=False, kw_only=True)
class CapacityScorer(ByName):
    """A model, the population that a capacity compares with, and the least evidence.

    Attributes:
        model: predicts the rank of a label, as a share of the labelled users.
        reference: float64 [m], sorted predictions of the reference population; 1 <= m <= 4001.
        least_evidence: orders below which nothing is said of a user, >= 0.
        band_bounds: the least capacity of each band but the first.
        columns: where the model's features stand in the rows that are scored; None where these are all of a row.

    Raises:
        ArtefactError: a reference that is empty, too long, not sorted or not finite; bounds that do not rise; evidence
            below 0; columns of other features.
    """

    owner: ClassVar[str] = "the capacity scorer"

    reference: NDArray[np.float64]
    least_evidence: int
    band_bounds: tuple[float, ...] = BAND_BOUNDS

    def __post_init__(self) -> None:
        super().__post_init__()
        require_reference(self.reference)
        if len(self.band_bounds) != len(BANDS) - 1 or not self.band_bounds[0] < self.band_bounds[1]:
            raise ArtefactError(
                f"band bounds: expected {len(BANDS) - 1} rising capacities, found {list(self.band_bounds)}; "
                "train the artefact again"
            )
        if self.least_evidence < 0:
            raise ArtefactError(f"least evidence: expected 0 orders or more, found {self.least_evidence}")

    @property
    def vectors(self) -> tuple[str, ...]:
        """The names of the vectors that the model was fitted on."""
        return self.model.vectors

    def predict(self, scalars: ScalarRows, vectors: Mapping[str, NDArray[np.floating]] | None) -> Capacities:
        """Estimate the capacity of n users at once.

        Args:
            scalars: n rows in the order of `row_names`; None is null, and counts as the mean.
            vectors: by name, float32 [n, 64], unit or zero; others than the model's are not looked at. None estimates
                from behaviour alone (the vectors contribute 0): for vectors of another encoder than the artefact's.

        Raises:
            InvalidInputError: shapes that do not fit, a value that is not finite, a vector or the evidence missing.
        """
        matrix = as_matrix(scalars, len(self.row_names))
        evidence = self._evidence(matrix)
        # Minus zero would be printed as such.
        terms = self.model.contributions(self.features_of(matrix), side_by_side(self.vectors, vectors)) + 0.0
        prediction = predictions_of(self.model.intercept, terms)
        if not np.isfinite(prediction).all():
            raise InvalidInputError(
                "features: expected finite numbers, found infinity, or NaN in a vector; check what was read"
            )
        capacity = share_at_most(self.reference, prediction)
        band = np.searchsorted(self.band_bounds, capacity, side="right").tolist()
        enough = [orders >= self.least_evidence for orders in evidence]
        return Capacities(
            evidence=evidence,
            capacity=[value if told else None for value, told in zip(capacity.tolist(), enough, strict=True)],
            prediction=[value if told else None for value, told in zip(prediction.tolist(), enough, strict=True)],
            band=[BANDS[place] if told else UNKNOWN for place, told in zip(band, enough, strict=True)],
            intercept=self.model.intercept,
            names=(*self.names, *self.vectors),
            contributions=terms,
            attribution=self.model.attribution,
        )

    def _evidence(self, rows: NDArray[np.float64]) -> list[int]:
        """Return the orders of each user; a null is none."""
        if EVIDENCE not in self.row_names:
            raise InvalidInputError(
                f"features: expected {EVIDENCE} in every row, found rows without; pass all features"
            )
        orders = rows[:, self.row_names.index(EVIDENCE)]
        return [int(count) for count in np.nan_to_num(orders, posinf=0.0)]


def side_by_side(
    names: tuple[str, ...], vectors: Mapping[str, NDArray[np.floating]] | None
) -> NDArray[np.floating] | None:
    """Put vectors beside each other in the order of these names: [n, 64 v] of v times [n, 64]; None for None.

    Raises:
        InvalidInputError: one of them is missing, or they are of different numbers of users.
    """
    if vectors is None:
        return None
    if missing := [name for name in names if name not in vectors]:
        raise InvalidInputError(
            f"vectors: expected {', '.join(names)}, found no {', '.join(missing)}; pass all of them"
        )
    if len({len(vectors[name]) for name in names}) > 1:
        raise InvalidInputError("vectors: expected one for each user, found different numbers of them")
    return np.hstack([np.asarray(vectors[name], dtype=np.float64) for name in names])
