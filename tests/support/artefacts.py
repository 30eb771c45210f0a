"""Artefacts for tests: the shipped one, fitted for the encoder of the tests, and changed where a test needs it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from models.artefact.artefact import Artefact
from models.artefact.capacity import CapacityArtefact
from models.artefact.drift_reference import DriftReference
from models.artefact.polarity import PolarityArtefact
from models.profile import WIDTH, Projection
from models.scoring.capacity import VECTORS, CapacityScorer
from models.scoring.kinds.linear import LinearModel
from models.scoring.standardising import Standardiser, Transform
from streams.inference.loading import artefact_folder, identify
from streams.inference.sentiment import identify_embeddings
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


def ship(artefact: Artefact | CapacityArtefact, folder: Path) -> str:
    """Put an artefact into a folder, and return its version."""
    artefact.save(folder)
    return artefact.version


def capacity_artefact(*, intercept: float = 0.5, least_evidence: int = 1, seed: int = 0) -> CapacityArtefact:
    """A capacity artefact of weights drawn by chance, as if trained with `HashEncoder` and its projection."""
    names = ("spend_30d", "lifetime_orders", "mean_paid_30d", "views_7d")
    rng = np.random.default_rng(seed)
    count = len(names)
    transforms = (Transform.SIGNED_LOG1P,) * count
    standardiser = Standardiser(
        names=names, transforms=transforms, means=rng.random(count), scales=rng.random(count) + 0.5
    )
    model = LinearModel(
        standardiser=standardiser,
        weights=rng.normal(size=count) / 10,
        vector_weights=rng.normal(size=len(VECTORS) * WIDTH) / 10,
        intercept=intercept,
        vectors=VECTORS,
    )
    reference = np.sort(rng.normal(intercept, 0.3, size=500))
    return CapacityArtefact(
        scorer=CapacityScorer(model=model, reference=reference, least_evidence=least_evidence),
        encoder_name=HashEncoder.name,
        encoder_identity=identify(HashEncoder(), Projection.orthogonal(HashEncoder.dimension)),
        date=date(2026, 11, 28),
        seed=seed,
        data="made-up shoppers",
        data_hash="00ff",
    )


def polarity_artefact(seed: int = 0, **changes: Any) -> PolarityArtefact:
    """A head of sentiment of weights drawn by chance, as if trained with `HashEncoder`."""
    weights = np.random.default_rng(seed).normal(size=HashEncoder.dimension) / 20
    parts: dict[str, Any] = {
        "weights": weights,
        "calibration": np.array([0.0, 1.0, 0.0]),
        "encoder_name": HashEncoder.name,
        "encoder_identity": identify_embeddings(HashEncoder()),
        "date": date(2026, 11, 29),
        "seed": seed,
        "data": "made-up reviews",
        "data_hash": "00ff",
    }
    return PolarityArtefact(**parts | changes)
