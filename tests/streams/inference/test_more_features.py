"""A feature that the artefact was not fitted on: served at once, and no reason to refuse the artefact."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.artefacts import drift_reference, fitted_artefact
from support.encoders import HashEncoder

import streams.inference.loading as loading
from features.users.catalogue import PROFILE_WIDTH
from models.exceptions import ArtefactError
from streams.exceptions import ConfigurationError
from streams.inference.loading import load_inference
from streams.settings import load_settings
from streams.telemetry.metrics import Metrics

NAMES = fitted_artefact().scorer.names
"""Those that the artefact was fitted on."""
NEW = "wishes_30d"
PLACE = 7
ROWS = 12


@pytest.fixture
def wider(monkeypatch: pytest.MonkeyPatch, tmp_path) -> loading.Inference:
    """A process whose rows have one feature more than its artefact was fitted on."""
    monkeypatch.setattr(loading, "NAMES", (*NAMES[:PLACE], NEW, *NAMES[PLACE:]))
    artefact = fitted_artefact()
    replace(artefact, drift=drift_reference(artefact)).save(tmp_path)
    return load_inference(load_settings(artefact=str(tmp_path)), Metrics(), HashEncoder())


def test_a_process_with_one_more_feature_scores_with_the_artefact_it_has(wider: loading.Inference) -> None:
    rng = np.random.default_rng(1)
    rows = rng.poisson(2.0, (ROWS, len(NAMES))).astype(float)
    profiles = rng.normal(size=(ROWS, PROFILE_WIDTH)).astype(np.float32)
    served = [(*row[:PLACE], 9.0, *row[PLACE:]) for row in rows.tolist()]
    expected = fitted_artefact().scorer.predict(rows, profiles)
    for scoring in (wider.scoring, wider.accept(fitted_artefact())):
        found = scoring.predict(served, profiles)
        assert found.prediction.tolist() == expected.prediction.tolist()
        assert [found.reasons(i) for i in range(ROWS)] == [expected.reasons(i) for i in range(ROWS)]
    drift = wider.artefact.drift
    assert drift is not None
    assert drift.bins(served, found.prediction).shape == (ROWS, len(NAMES) + 1)


def test_a_process_that_lacks_a_feature_refuses_the_artefact(wider, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(loading, "NAMES", NAMES[1:])
    with pytest.raises(ArtefactError, match=f"features: artefact .* expects '{NAMES[0]}'"):
        wider.accept(fitted_artefact())
    with pytest.raises(ConfigurationError, match="features: artefact"):
        load_inference(load_settings(artefact=str(tmp_path)), Metrics(), HashEncoder())
