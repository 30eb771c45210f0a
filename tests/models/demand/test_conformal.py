from __future__ import annotations

import numpy as np
import pytest

from models.demand.conformal import LEVELS, backs_for, bands, least_errors, origins_for
from models.demand.methods import CHOSEN
from models.demand.rolling import HORIZONS, Rolled, roll


def _poisson(series: int, days: int, rate: float = 4.0, seed: int = 0) -> list[np.ndarray]:
    drawn = np.random.default_rng(seed).poisson(rate, (series, days)).astype(np.float64)
    return list(drawn)


def test_intervals_of_steady_sales_hold_the_sums_as_often_as_they_say() -> None:
    series, back = _poisson(150, 160), 28
    rolled = roll(series, backs_for(len(series), back), [CHOSEN])
    found, at = bands(rolled, CHOSEN, back), rolled.backs.index(back)
    for place, _ in enumerate(HORIZONS):
        sold = rolled.sold[:, at, place]
        for column, level in enumerate(LEVELS):
            low, high = found[:, place, column].T
            covered = np.mean((sold >= low) & (sold <= high))
            # Three standard deviations of a share of 150.
            assert abs(covered - level / 100) < 3 * np.sqrt(level / 100 * (1 - level / 100) / 150) + 0.01


def test_the_wider_level_holds_the_narrower_one_and_none_is_below_0() -> None:
    series = _poisson(40, 120, rate=0.3)
    found = bands(roll(series, backs_for(len(series)), [CHOSEN]), CHOSEN, 0)
    told = found[np.isfinite(found).all(axis=(1, 2, 3))]
    assert len(told) > 30
    assert np.all(told >= 0)
    assert np.all(told[:, :, 1, 0] <= told[:, :, 0, 0])
    assert np.all(told[:, :, 1, 1] >= told[:, :, 0, 1])


def test_a_pattern_of_too_few_errors_takes_those_of_all_for_every_level() -> None:
    steady, wild = np.full((10, 60, 2), np.nan), np.full((1, 60, 2), np.nan)
    rng = np.random.default_rng(3)
    backs = tuple(range(59, -1, -1))
    steady[:, :50], wild[:, :50] = rng.normal(100, 1, (10, 50, 2)), rng.normal(100, 50, (1, 50, 2))
    shape = (11, 60, 2)
    patterns = np.full(shape[:2], "smooth", dtype=object)
    patterns[10] = "lumpy"
    means, sold = {CHOSEN: np.full(shape, 100.0)}, np.concatenate([steady, wild])
    found = bands(Rolled(backs, means, sold, np.ones(shape), patterns), CHOSEN, 0)[:, 0]
    assert np.all(found[:, 1, 0] <= found[:, 0, 0])
    assert np.all(found[:, 1, 1] >= found[:, 0, 1])
    # Eight errors of its own would be too few: its interval is that of all.
    assert found[10, 0, 1] - found[10, 0, 0] < 10


def test_no_error_of_days_that_are_not_over_is_used() -> None:
    series, back = _poisson(60, 150), 28
    later = [np.concatenate([units[:-back], units[-back:] * 50]) for units in series]
    backs = tuple(range(0, 120, 7))
    told, again = (bands(roll(some, backs, [CHOSEN]), CHOSEN, back) for some in (series, later))
    np.testing.assert_array_equal(told, again)


def test_few_series_take_more_origins_and_too_few_errors_give_no_interval() -> None:
    assert origins_for(1000) == 8
    assert origins_for(1) == 40
    assert [least_errors(level) for level in LEVELS] == [10, 40]
    young = roll(_poisson(1, 100), backs_for(1), [CHOSEN])
    found = bands(young, CHOSEN, 0)[0]
    assert np.isfinite(young.means[CHOSEN][0, -1]).all()
    # 100 days give 10 sums of 7 days that are over, and 7 of 28.
    assert np.isfinite(found[0, 0]).all()
    assert not np.isfinite(found[0, 1]).any()
    assert not np.isfinite(found[1]).any()


@pytest.mark.parametrize(("level", "expected"), [(80, (10.0, 90.0)), (95, (2.0, 98.0))])
def test_the_sides_are_the_order_statistics_of_split_conformal_prediction(
    level: int, expected: tuple[float, float]
) -> None:
    # 99 errors, 1 to 99, of one origin each side of nothing else: floor(100 x 0.1) and ceil(100 x 0.9).
    shape = (99, 2, 2)
    sold = np.full(shape, np.nan)
    sold[:, 0] = 100.0 + np.arange(1, 100)[:, None]
    rolled = Rolled(
        (28, 0), {CHOSEN: np.full(shape, 100.0)}, sold, np.ones(shape), np.full(shape[:2], "smooth", dtype=object)
    )
    found = bands(rolled, CHOSEN, 0)[0, 0, LEVELS.index(level)]
    assert tuple(found - 100) == expected
