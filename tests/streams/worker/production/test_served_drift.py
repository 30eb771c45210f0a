"""Drift of served users: each counted once, in a bounded sample, against the artefact's training rows."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.artefacts import drift_reference, fitted_artefact

from models.artefact.drift_reference import DriftReference
from streams.telemetry.metrics import Metrics
from streams.worker.production import served_drift as drift_module
from streams.worker.production.served_drift import Drift

ARTEFACT = fitted_artefact()
NAMES = ARTEFACT.scorer.names


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def scoring(reference: DriftReference | None) -> Any:
    return SimpleNamespace(version="v", artefact=SimpleNamespace(drift=reference))


def served(rows: np.ndarray, first: int = 0) -> Any:
    users = [f"user-{number}" for number in range(first, first + len(rows))]
    predicted = SimpleNamespace(prediction=rows[:, -1])
    return SimpleNamespace(users=users, rows=[tuple(row[:-1]) for row in rows.tolist()], predicted=predicted)


def table(rows: int, rate: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.poisson(rate, (rows, len(NAMES))).astype(float), rng.normal(size=rows)])


def index(metrics: Metrics, feature: str) -> float | None:
    return metrics.registry.get_sample_value("wherewithal_drift_psi", {"feature": feature})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watched(clock: Clock) -> tuple[Drift, Metrics]:
    metrics = Metrics()
    drift = Drift(metrics, window_s=100, least_users=500, clock=clock)
    drift.use(scoring(drift_reference(ARTEFACT)))
    return drift, metrics


def test_users_like_those_of_the_training_do_not_drift_and_others_do(watched: tuple[Drift, Metrics]) -> None:
    drift, metrics = watched
    drift.count(served(table(2000, 1.0, 1)))
    drift.publish()
    assert max(index(metrics, name) or 1 for name in (*NAMES, "prediction")) < 0.05
    drift.count(served(table(2000, 3.0, 2)))
    drift.publish()
    assert min(index(metrics, name) or 0 for name in NAMES) > 0.25
    assert (index(metrics, "prediction") or 1) < 0.05


def test_a_user_counts_once_by_the_row_served_last(watched: tuple[Drift, Metrics]) -> None:
    drift, metrics = watched
    everybody = table(600, 1.0, 1)
    drift.count(served(everybody))
    for _ in range(50):
        drift.count(served(everybody[:1] + 100))
    drift.count(served(everybody))
    drift.publish()
    assert metrics.registry.get_sample_value("wherewithal_drift_sample_users") == 600
    reference = drift_reference(ARTEFACT)
    by_hand = reference.drift(reference.bins(everybody[:, :-1], everybody[:, -1]))
    assert {name: index(metrics, name) for name in by_hand} == pytest.approx(by_hand)


def test_an_erased_user_leaves_the_sample(watched: tuple[Drift, Metrics]) -> None:
    drift, metrics = watched
    drift.count(served(table(600, 1.0, 1)))
    drift.erase("user-7")
    drift.erase("nobody")
    drift.publish()
    assert metrics.registry.get_sample_value("wherewithal_drift_sample_users") == 599


def test_few_users_have_no_index(watched: tuple[Drift, Metrics]) -> None:
    drift, metrics = watched
    drift.count(served(table(499, 1.0, 1)))
    drift.publish()
    assert index(metrics, "prediction") is None


def test_the_sample_is_bounded_and_uniform(watched: tuple[Drift, Metrics], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift_module, "MOST_USERS", 1000)
    drift, metrics = watched
    for start in range(0, 20_000, 250):
        # The users of the second half are of another kind.
        drift.count(served(table(250, 1.0 if start < 10_000 else 3.0, start), start))
    drift.publish()
    kept = metrics.registry.get_sample_value("wherewithal_drift_sample_users") or 0
    assert 500 <= kept <= 1000
    reference = drift_reference(ARTEFACT)
    both = np.concatenate([table(10_000, 1.0, 1), table(10_000, 3.0, 2)])
    expected = reference.drift(reference.bins(both[:, :-1], both[:, -1]))["views_1h"]
    assert index(metrics, "views_1h") == pytest.approx(expected, rel=0.5)


def test_a_window_begins_anew_and_the_indices_stay_until_there_are_others(
    watched: tuple[Drift, Metrics], clock: Clock
) -> None:
    drift, metrics = watched
    drift.count(served(table(600, 3.0, 1)))
    clock.now = 100
    drift.publish()
    high = index(metrics, "views_1h")
    drift.publish()
    assert metrics.registry.get_sample_value("wherewithal_drift_sample_users") == 0
    assert index(metrics, "views_1h") == high
    drift.count(served(table(600, 1.0, 2), 5000))
    drift.publish()
    assert (index(metrics, "views_1h") or 1) < 0.1


def test_another_artefact_begins_anew_and_one_without_a_reference_shows_nothing(
    watched: tuple[Drift, Metrics], caplog: pytest.LogCaptureFixture
) -> None:
    drift, metrics = watched
    drift.count(served(table(600, 3.0, 1)))
    drift.publish()
    assert index(metrics, "views_1h") is not None
    with caplog.at_level(logging.INFO, logger="wherewithal"):
        drift.use(scoring(None))
    assert "no drift reference" in caplog.text
    drift.count(served(table(600, 3.0, 1)))
    drift.publish()
    assert index(metrics, "views_1h") is None
