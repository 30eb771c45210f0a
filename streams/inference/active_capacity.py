"""The capacity artefact in use: one immutable object, as `streams.inference.active_scorer.Scoring` is for scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from features.users.catalogue import NAMES, PROFILE_WIDTH
from models.artefact.capacity import CapacityArtefact
from models.scoring.capacity import VECTORS, Capacities
from streams.inference.active_scorer import Rows

PURPOSE: Final = (
    "purchasing capacity stands in for age, household and children: it may not decide on personal pricing, credit, "
    "employment, housing or insurance (docs/responsible-use.md)"
)
"""What is said once wherever capacity begins to be estimated."""

Vectors = Mapping[str, NDArray[np.float32]]
"""By the name of a vector feature, float32 [n, 64]."""


@dataclass(frozen=True, eq=False)
class Estimating:
    """A capacity artefact that has been accepted for the running encoder.

    Attributes:
        artefact: serves rows in the order of the catalogue.
        model: the field `model` of its records: `scorer`, `encoder`, `attribution`.
        fitted: whether it was fitted for the running encoder; if not, it estimates from behaviour alone.
    """

    artefact: CapacityArtefact
    model: Mapping[str, Any]
    fitted: bool

    @classmethod
    def of(cls, artefact: CapacityArtefact, encoder: str, fitted: bool) -> Self:
        """Make one for a running encoder of this identity.

        Raises:
            InvalidInputError: it cannot estimate.
        """
        nothing = np.zeros((1, PROFILE_WIDTH), np.float32)
        # A user without any known feature, so that an artefact that cannot estimate fails before it serves.
        tried = artefact.scorer.predict([(None,) * len(NAMES)], dict.fromkeys(VECTORS, nothing) if fitted else None)
        model = {"scorer": artefact.version, "encoder": encoder, "attribution": tried.attribution}
        return cls(artefact, model, fitted)

    @property
    def version(self) -> str:
        """The artefact's version, as every record names it."""
        return str(self.model["scorer"])

    def estimate(self, rows: Rows, vectors: Vectors) -> Capacities:
        """Estimate users: rows in the order of the catalogue, vectors by name."""
        return self.artefact.scorer.predict(rows, vectors if self.fitted else None)


def load_estimating(folder: Path, encoder: str, *, strict: bool = False) -> Estimating:
    """Read a capacity artefact for a running encoder of this identity.

    Args:
        folder: as written by `train --head capacity`.
        encoder: identity of encoder, rules and projection.
        strict: whether one that was made for another encoder is refused, rather than estimating from behaviour alone.

    Raises:
        ArtefactError: it cannot be read, needs a feature that no row has, or is refused.
        InvalidInputError: it cannot estimate.
    """
    artefact = CapacityArtefact.load(folder)
    fitted = artefact.matches(encoder)
    return Estimating.of(artefact.serving(NAMES, encoder if fitted or strict else None), encoder, fitted)
