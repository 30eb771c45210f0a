"""The shadow beside the live scorer: its difference, and that its failure is its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.artefacts import fitted_artefact
from support.encoders import HashEncoder

from models.artefact.artefact import Artefact
from streams.inference.active_scorer import Scoring, Served
from streams.inference.loading import Inference, load_inference
from streams.settings import load_settings
from streams.telemetry.metrics import Metrics
from streams.worker.production.shadow import Shadow


@pytest.fixture(scope="module")
def inference() -> Inference:
    return load_inference(load_settings(), Metrics(), HashEncoder())


def scoring_of(inference: Inference, artefact: Artefact) -> Scoring:
    return Scoring.of(artefact, inference.encoder, inference.labels, fitted=True, currency="USD")


def served_by(scoring: Scoring, users: int = 200) -> Served:
    rng = np.random.default_rng(1)
    rows = rng.poisson(2.0, (users, len(scoring.artefact.scorer.names))).astype(np.float64)
    profiles = np.zeros((users, 64), np.float32)
    names = [f"u{number}" for number in range(users)]
    return Served(scoring, names, [], [0] * users, rows, profiles, scoring.predict(rows, profiles))


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(f"wherewithal_{name}", labels) or 0.0


def test_the_difference_is_that_of_two_predictions_by_hand(inference: Inference) -> None:
    metrics = Metrics()
    shadow = Shadow(metrics)
    live, other = (scoring_of(inference, fitted_artefact(intercept=added)) for added in (3.0, 3.4))
    served = served_by(live)
    shadow.use(other)
    shadow.compare(served)
    by_hand = other.artefact.scorer.predict(served.rows, served.profiles)
    distance = np.abs(by_hand.prediction - served.predicted.prediction)
    assert value(metrics, "shadow_difference_sum") == pytest.approx(distance.sum(), rel=1e-12)
    assert value(metrics, "shadow_difference_count") == 200
    assert value(metrics, "shadow_difference_bucket", le="0.3") == (distance <= 0.3).sum() == 0
    assert value(metrics, "shadow_difference_bucket", le="0.5") == 200
    ranks = ["low", "medium", "high", "premium"]
    sides = [ranks.index(one) - ranks.index(two) for one, two in zip(by_hand.tier, served.predicted.tier, strict=True)]
    assert value(metrics, "shadow_scores_total", tier="higher") == sum(side > 0 for side in sides) > 0
    assert value(metrics, "shadow_scores_total", tier="same") == sides.count(0) > 0
    assert value(metrics, "shadow_scores_total", tier="lower") == 0
    assert value(metrics, "shadow_info", scorer=other.version) == 1


def test_a_shadow_that_fails_is_put_out_of_use_and_a_new_one_is_used(inference: Inference) -> None:
    metrics = Metrics()
    shadow = Shadow(metrics)
    live = scoring_of(inference, fitted_artefact())

    class Broken:
        def predict(self, *_: Any, **__: Any) -> None:
            raise ZeroDivisionError

    broken = replace(live, artefact=replace(live.artefact, date=live.artefact.date))
    object.__setattr__(broken.artefact, "scorer", Broken())
    shadow.use(broken)
    served = served_by(live)
    shadow.compare(served)
    shadow.compare(served)
    assert value(metrics, "shadow_failures_total") == 1
    assert value(metrics, "shadow_difference_count") == 0
    assert value(metrics, "shadow_info", scorer=broken.version) == 0
    shadow.use(live)
    shadow.compare(served)
    assert value(metrics, "shadow_difference_count") == 200
    assert value(metrics, "shadow_difference_sum") == 0
