"""The artefact that is shipped, with the encoder that is shipped."""

from __future__ import annotations

from streams.inference.loading import load_inference
from streams.settings import load_settings
from streams.telemetry.metrics import Metrics


def test_the_shipped_scorer_was_fitted_to_the_shipped_encoder_and_to_the_rules_for_texts_as_they_are() -> None:
    # Else every score is `degraded`, and what users wrote has no part in it.
    assert load_inference(load_settings(), Metrics()).scoring.fitted
