"""The artefact of a scorer, made of the rows it was trained on and the result of the training."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from models.artefact.artefact import Artefact
from models.artefact.drift_reference import DriftReference
from models.artefact.holdout import Holdout
from models.scoring.population import reference_of
from models.training.train import TrainingResult
from streams.offline.training.source import Source


def artefact_of(source: Source, result: TrainingResult, *, seed: int, made: date, holdout: Holdout | None) -> Artefact:
    """Return the artefact.

    Args:
        source: the rows trained on.
        result: of the training.
        seed: of the training.
        made: the date in the version.
        holdout: the users left out of the rows; None for none.
    """
    values = result.scorer.features_of(source.values)
    everybody = result.scorer.model.predict(values, source.profiles)
    return Artefact(
        # Which rows it serves is looked up when it is loaded: an artefact names its own features alone.
        scorer=replace(result.scorer, reference=reference_of(everybody[source.population]), columns=None),
        projection=source.projection,
        encoder_name=source.encoder_name,
        encoder_identity=source.encoder_identity,
        date=made,
        seed=seed,
        data=source.data,
        data_hash=result.data_hash,
        categories=source.categories,
        metrics=result.metrics,
        drift=DriftReference.fit(result.scorer.names, values, everybody),
        origin=source.origin,
        holdout=holdout,
    )
