"""Measures of a probability of one of two outcomes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.exceptions import InvalidInputError
from models.measures.probability import BINS, accuracy, brier, calibration_error, reliability

told = st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=60)


def test_examples_by_hand() -> None:
    happened, probability = np.array([True, False, True, False]), np.array([0.9, 0.2, 0.4, 0.5])
    assert accuracy(happened, probability) == 0.5
    assert brier(happened, probability) == pytest.approx((0.01 + 0.04 + 0.36 + 0.25) / 4)
    assert calibration_error(happened, probability) == pytest.approx((0.1 + 0.2 + 0.6 + 0.5) / 4)


@given(told)
def test_measures_stay_within_0_and_1(pairs: list[tuple[bool, float]]) -> None:
    happened, probability = np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs])
    for measure in (accuracy, brier, calibration_error):
        assert 0 <= measure(happened, probability) <= 1
    bins = reliability(happened, probability)
    assert 1 <= len(bins) <= min(BINS, len(pairs))
    assert sum(share for *_, share in bins) == pytest.approx(1)


@given(told)
def test_certainty_that_comes_true_is_perfect(pairs: list[tuple[bool, float]]) -> None:
    happened = np.array([pair[0] for pair in pairs])
    certain = happened.astype(np.float64)
    assert (accuracy(happened, certain), brier(happened, certain), calibration_error(happened, certain)) == (1, 0, 0)


def test_the_base_rate_is_calibrated_and_knows_nothing() -> None:
    happened = np.arange(1000) % 4 == 0
    assert calibration_error(happened, np.full(1000, 0.25)) < 1e-9
    assert brier(happened, np.full(1000, 0.25)) == pytest.approx(0.1875)


def test_the_order_of_equal_probabilities_means_nothing() -> None:
    happened = np.arange(1000) < 250
    assert calibration_error(happened, np.full(1000, 0.25)) == calibration_error(happened[::-1], np.full(1000, 0.25))
    assert calibration_error(happened, np.full(1000, 0.25)) < 1e-9


@pytest.mark.parametrize(
    ("happened", "probability"),
    [([], []), ([True], [0.5, 0.5]), ([True], [1.5]), ([True], [-0.1]), ([True], [np.nan])],
)
def test_what_is_no_probability_is_refused(happened: list[bool], probability: list[float]) -> None:
    with pytest.raises(InvalidInputError):
        accuracy(np.array(happened, bool), np.array(probability))
