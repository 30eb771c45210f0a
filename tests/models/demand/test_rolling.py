from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.demand.methods import BASELINES, CHOSEN, SINGLE
from models.demand.rolling import HORIZONS, LEAST_DAYS, roll, spread
from models.exceptions import InvalidInputError

Units = st.lists(st.integers(0, 50), min_size=LEAST_DAYS + 28, max_size=90)


def test_baselines_are_what_they_are_called() -> None:
    units = np.arange(1.0, 71.0)
    rolled = roll([units], [0], BASELINES)
    told = {name: rolled.means[name][0, 0].tolist() for name in BASELINES}
    assert told["naive"] == [7 * 70, 28 * 70]
    assert told["seasonal_naive"] == [sum(range(64, 71)), 4 * sum(range(64, 71))]
    assert told["moving_average"] == [7 * np.mean(np.arange(43, 71)), 28 * np.mean(np.arange(43, 71))]


def test_what_was_sold_is_known_only_where_the_days_are_over() -> None:
    units = np.ones(70)
    rolled = roll([units], [0, 7, 28], ["naive"])
    assert rolled.backs == (28, 7, 0)
    np.testing.assert_array_equal(rolled.sold[0], [[7, 28], [7, np.nan], [np.nan, np.nan]])


@settings(max_examples=20)
@given(Units, st.integers(0, 10_000))
def test_a_forecast_sees_no_day_after_its_origin(counts: list[int], seed: int) -> None:
    units = np.array(counts, dtype=np.float64)
    other = units.copy()
    other[-28:] = np.random.default_rng(seed).integers(0, 99, 28)
    told, again = (roll([series], [28], [CHOSEN, "seasonal_naive"]) for series in (units, other))
    for name in told.means:
        np.testing.assert_array_equal(told.means[name], again.means[name])
    np.testing.assert_array_equal(told.spreads, again.spreads)


@settings(max_examples=10)
@given(st.lists(Units, min_size=1, max_size=2))
def test_every_method_tells_finite_sums_from_0_on_that_grow_with_the_days(series: list[list[int]]) -> None:
    known = [np.array([2, *units, 3], dtype=np.float64) for units in series]
    rolled = roll(known, [0], [*SINGLE, CHOSEN])
    for means in rolled.means.values():
        assert np.all(np.isfinite(means))
        assert np.all((means[..., 0] >= 0) & (means[..., 0] <= means[..., 1]))


def test_nothing_is_told_of_a_series_that_is_too_short_or_hardly_sold() -> None:
    short, rare, long = np.ones(LEAST_DAYS - 1), np.eye(1, 60)[0], np.ones(LEAST_DAYS)
    rolled = roll([short, rare, long], [0], [CHOSEN])
    assert np.isfinite(rolled.means[CHOSEN][:, 0, 0]).tolist() == [False, False, True]


@pytest.mark.parametrize("units", [[1.0, -1.0], [1.0, np.nan], [np.inf, 1.0]])
def test_units_that_cannot_be_are_refused(units: list[float]) -> None:
    with pytest.raises(InvalidInputError, match="expected finite numbers from 0 on"):
        roll([np.array(units)], [0], [CHOSEN])


def test_an_origin_after_the_end_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="before the end, found -7"):
        roll([np.ones(40)], [0, -7], [CHOSEN])


def test_the_spread_of_a_sum_grows_with_the_root_of_its_days_and_is_never_0() -> None:
    units = np.tile([0.0, 2.0], 60)
    np.testing.assert_allclose(spread(units), np.sqrt(np.array(HORIZONS)))
    np.testing.assert_array_equal(spread(np.ones(50)), [0.5, 0.5])
