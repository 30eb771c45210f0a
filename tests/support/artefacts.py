"""Artefacts for tests: the shipped one, fitted for the encoder of the tests, and changed where a test needs it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from models.artefact.artefact import Artefact
from models.artefact.drift_reference import DriftReference
from models.profile import Projection
from models.scoring.kinds.linear import LinearModel
from models.scoring.standardising import Standardiser
from streams.inference.loading import artefact_folder, identify
from streams.settings import load_settings
from support.encoders import HashEncoder


def fitted_artefact(*, intercept: float = 0.0, seed: int = 0, **changes: Any) -> Artefact:
    """The shipped artefact, made linear, as if trained with `HashEncoder`; `intercept` is added to every prediction."""
    shipped = Artefact.load(artefact_folder(load_settings()))
    projection = Projection.orthogonal(HashEncoder.dimension, seed)
    model = _linear(shipped.scorer.model, intercept)
    made = replace(
        shipped,
        scorer=replace(shipped.scorer, model=model),
        projection=projection,
        encoder_name=HashEncoder.name,
        encoder_identity=identify(HashEncoder(), projection),
    )
    return replace(made, **changes)


def _linear(model: Any, intercept: float) -> LinearModel:
    """The terms of a log-linear model, its derived columns left out, added up as they are."""
    count, of = len(model.names), model.standardiser
    standardiser = Standardiser(
        names=model.names, transforms=of.transforms[:count], means=of.means[:count], scales=of.scales[:count]
    )
    return LinearModel(
        standardiser=standardiser,
        weights=model.weights[:count],
        vector_weights=model.profile_weights,
        intercept=model.intercept + intercept,
    )


def drift_reference(artefact: Artefact, rows: int = 2000) -> DriftReference:
    """A reference of random rows."""
    rng = np.random.default_rng(0)
    values = rng.poisson(1.0, (rows, len(artefact.scorer.names))).astype(np.float64)
    return DriftReference.fit(artefact.scorer.names, values, rng.normal(size=rows))


def ship(artefact: Artefact, folder: Path) -> str:
    """Put an artefact into a folder, and return its version."""
    artefact.save(folder)
    return artefact.version
