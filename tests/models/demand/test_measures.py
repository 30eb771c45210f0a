from __future__ import annotations

import numpy as np
import pytest

from models.demand.measures import coverage, errors, scale


def test_the_scale_is_the_error_of_the_naive_forecast_of_sums_and_at_least_a_unit() -> None:
    found = scale(np.arange(30.0), 7)
    assert found is not None
    assert (found.absolute, found.square) == (49.0, 49.0**2)
    steady = scale(np.ones(30), 7)
    assert steady is not None
    assert (steady.absolute, steady.square) == (1.0, 1.0)
    assert scale(np.ones(20), 7) is None


def test_errors_are_measured_in_scales_and_in_units() -> None:
    told, sold, ones = np.array([10.0, 20.0]), np.array([12.0, 16.0]), np.ones(2)
    found = errors(told, sold, 2 * ones, 4 * ones)
    assert found == {"mase": 1.5, "rmsse": pytest.approx(np.sqrt(2.5)), "wape": pytest.approx(6 / 28)}
    assert errors(told[:0], sold[:0], ones[:0], ones[:0]) == {"mase": None, "rmsse": None, "wape": None}
    assert errors(told, np.zeros(2), ones, ones)["wape"] is None


def test_coverage_is_of_the_intervals_that_there_are() -> None:
    bands = np.array([[0.0, 10.0], [5.0, 6.0], [np.nan, np.nan]])
    found = coverage(bands, np.array([10.0, 4.0, 1.0]), np.full(3, 2.0))
    assert found == {"n": 2, "covered": 0.5, "width": 2.75}
    assert coverage(bands[2:], np.ones(1), np.ones(1))["covered"] is None
