"""The scorer: money expected in the next 30 days, a score and a tier, and the reasons for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from models.exceptions import ArtefactError, InvalidInputError
from models.scoring.by_name import ByName
from models.scoring.calibration import Calibration
from models.scoring.kinds.protocol import predictions_of
from models.scoring.population import require_reference, share_at_most
from models.scoring.reasons import Explained
from models.scoring.standardising import ScalarRows

TIERS: Final = ("low", "medium", "high", "premium")
TIER_BOUNDS: Final = (50.0, 80.0, 95.0)
"""The least score of every tier but the first."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Predictions(Explained):
    """Predictions, scores and reasons of n users, in the order they were passed.

    Attributes:
        prediction: float64 [n], log1p of the money spent in the next 30 days.
        expected_spend: float64 [n], mean money over the next 30 days, >= 0.
        score: float64 [n], 0..100.
        tier: n of `TIERS`.
    """

    prediction: NDArray[np.float64]
    expected_spend: NDArray[np.float64]
    score: NDArray[np.float64]
    tier: list[str]


@dataclass(frozen=True, eq=False, kw_only=True)
class Scorer(ByName):
    """A model, the population its score compares with, and its calibration to money.

    Attributes:
        model: predicts log1p of money.
        reference: float64 [m], sorted predictions of the reference population; 1 <= m <= 4001.
        calibration: from prediction to mean money.
        tier_bounds: the least score of each tier but the first.
        columns: where the model's features stand in the rows that are scored; None where these are all of a row.

    Raises:
        ArtefactError: a reference that is empty, too long, not sorted or not finite; bounds that do not rise; columns
            of other features.
    """

    owner: ClassVar[str] = "the scorer"

    reference: NDArray[np.float64]
    calibration: Calibration
    tier_bounds: tuple[float, ...] = TIER_BOUNDS

    def __post_init__(self) -> None:
        super().__post_init__()
        require_reference(self.reference)
        rising = all(low < high for low, high in zip(self.tier_bounds, self.tier_bounds[1:], strict=False))
        if len(self.tier_bounds) != len(TIERS) - 1 or not rising:
            raise ArtefactError(
                f"tier bounds: expected {len(TIERS) - 1} rising scores, found {list(self.tier_bounds)}; "
                "train the artefact again"
            )

    @property
    def attribution(self) -> str:
        """How a prediction is divided among its reasons: `exact`, or the method's name."""
        return self.model.attribution

    def predict(
        self, scalars: ScalarRows, profiles: NDArray[np.floating] | None, *, use_profile: bool = True
    ) -> Predictions:
        """Score n users at once.

        Args:
            scalars: n rows in the order of `row_names`; None is null, and counts as the training mean.
            profiles: float32 [n, 64], unit or zero; None only together with `use_profile=False`.
            use_profile: False scores from behaviour alone (the vector contributes 0): for profiles made
                by another encoder than the one the artefact was trained with.

        Raises:
            InvalidInputError: shapes that do not fit, or a value that is not finite.
        """
        if use_profile and profiles is None:
            raise InvalidInputError("profiles: expected [n, 64] numbers, found None; or pass use_profile=False")
        values = self.features_of(scalars)
        terms = self.model.contributions(values, profiles if use_profile else None)
        # Minus zero would be printed as such.
        terms += 0.0
        prediction = predictions_of(self.model.intercept, terms)
        if not np.isfinite(prediction).all():
            raise InvalidInputError(
                "features: expected finite numbers, found infinity, or NaN in a profile; check what was read"
            )
        score = share_at_most(self.reference, prediction)
        tier = np.searchsorted(self.tier_bounds, score, side="right")
        return Predictions(
            prediction=prediction,
            expected_spend=self.calibration.apply(prediction),
            score=score,
            tier=[TIERS[position] for position in tier.tolist()],
            intercept=self.model.intercept,
            names=(*self.names, *self.model.vectors),
            contributions=terms,
            attribution=self.attribution,
        )
