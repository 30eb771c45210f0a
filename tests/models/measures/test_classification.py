import numpy as np
import pytest
from sklearn import metrics

from models.exceptions import InvalidInputError
from models.measures.classification import auc, average_precision, best_threshold, f1, precision_recall_curve, roc_curve


@pytest.fixture
def rows():
    """Outcomes and a prediction with many ties."""
    generator = np.random.default_rng(5)
    prediction = np.round(generator.normal(size=500), 1)
    return generator.random(500) < 1 / (1 + np.exp(2 - prediction)), prediction


def test_the_area_under_the_roc_curve_is_that_of_scikit_learn(rows):
    assert auc(*rows) == pytest.approx(metrics.roc_auc_score(*rows), abs=1e-12)


def test_no_order_has_half_the_area_and_the_base_rate_as_precision(rows):
    bought, _ = rows
    flat = np.zeros(bought.size)
    assert auc(bought, flat) == pytest.approx(0.5, abs=1e-12)
    assert average_precision(bought, flat) == pytest.approx(bought.mean())


@pytest.mark.parametrize("threshold", [-9.0, 0.0, 0.3, 1.5, 9.0])
def test_f1_is_that_of_scikit_learn(rows, threshold):
    bought, prediction = rows
    assert f1(bought, prediction, threshold) == pytest.approx(
        metrics.f1_score(bought, prediction >= threshold, zero_division=0)
    )


def test_no_other_threshold_has_a_higher_f1(rows):
    bought, prediction = rows
    best = f1(bought, prediction, best_threshold(bought, prediction))
    assert best == max(f1(bought, prediction, value) for value in np.unique(prediction))


def test_by_hand():
    bought = np.array([True, False, True, False])
    prediction = np.array([4.0, 3.0, 2.0, 1.0])
    assert auc(bought, prediction) == 0.75
    assert average_precision(bought, prediction) == pytest.approx((1 + 2 / 3) / 2)
    assert best_threshold(bought, prediction) == 2.0
    assert f1(bought, prediction, 2.0) == pytest.approx(0.8)


def test_a_curve_runs_from_end_to_end_in_at_most_a_hundred_points():
    generator = np.random.default_rng(0)
    bought, prediction = generator.random(5000) < 0.3, generator.normal(size=5000)
    roc, recall = roc_curve(bought, prediction), precision_recall_curve(bought, prediction)
    assert len(roc["false_positive_rate"]) == len(roc["true_positive_rate"]) <= 100
    assert len(recall["recall"]) == len(recall["precision"]) <= 100
    assert (roc["false_positive_rate"][0], roc["true_positive_rate"][-1]) == (0, 1)
    assert (recall["recall"][0], recall["recall"][-1]) == (0, 1)
    exact, _, _ = metrics.roc_curve(bought, prediction)
    assert np.trapezoid(roc["true_positive_rate"], roc["false_positive_rate"]) == pytest.approx(
        auc(bought, prediction), abs=0.01
    )
    assert exact.size > 100


@pytest.mark.parametrize("measure", [average_precision, best_threshold, roc_curve, precision_recall_curve])
def test_rows_without_a_buyer_are_refused(measure):
    with pytest.raises(InvalidInputError, match="at least one buyer"):
        measure(np.zeros(4, dtype=bool), np.arange(4.0))
