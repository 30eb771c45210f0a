from __future__ import annotations

import numpy as np
import pytest

from models.backtest.measures import MEASURES, best, measure
from models.exceptions import InvalidInputError


@pytest.fixture(scope="module")
def outcome():
    rng = np.random.default_rng(0)
    spent = np.where(rng.random(400) < 0.3, rng.gamma(2, 30, 400), 0.0)
    good = spent * 0.8 + 0.2 * spent.mean() + rng.gamma(1, 3, 400)
    return measure(
        [(spent, {"zero": np.zeros(400), "good": good, "level": np.full(400, spent.mean())})] * 2,
        draws=30,
        seeds=[0, 1],
    )


def test_every_model_has_every_measure(outcome):
    assert {name: set(row) for name, row in outcome.table().items()} == {
        name: set(MEASURES) for name in ("zero", "good", "level")
    }


def test_a_measure_lies_within_its_interval(outcome):
    for name, row in outcome.table().items():
        for of, value in row.items():
            low, high = outcome.intervals()[name][of]
            assert low - 1e-9 <= value <= high + 1e-9 or of == "calibration_error", (name, of)


def test_a_tied_prediction_is_no_better_than_none(outcome):
    assert outcome.table()["zero"]["concordance"] == 0.5
    assert outcome.table()["level"]["normalized_gini"] == pytest.approx(0.0, abs=1e-12)


def test_a_lead_is_positive_where_less_is_better_too(outcome):
    leads = outcome.leads("good")
    assert set(leads) == {"zero", "level"}
    assert leads["zero"]["concordance"][0] > 0
    assert leads["zero"]["calibration_error"][0] > 0


def test_the_best_is_decided_by_order_and_calibration_together(outcome):
    assert best([outcome, outcome]) == "good"


def test_the_same_seeds_resample_the_same_customers(outcome):
    rng = np.random.default_rng(3)
    run = (rng.gamma(1, 1, 50), {"one": rng.gamma(1, 1, 50)})
    first, second = (measure([run], draws=5, seeds=[4]) for _ in range(2))
    assert np.array_equal(first.resampled, second.resampled)


def test_no_run_is_refused():
    with pytest.raises(InvalidInputError, match="at least one"):
        measure([], draws=1, seeds=[])
