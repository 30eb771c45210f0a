from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.backtest.decayed_rate import FEATURES, design, fit_decayed_rate
from models.backtest.rows import CutOffRows
from models.backtest.two_part import RFM_COLUMNS, rfm, two_part
from models.exceptions import InvalidInputError
from models.measures.spend import concordance
from models.scoring.kinds.derived import HALF_LIVES_DAYS


def features(orders, spend, age, idle, orders_30d=0.0, spend_30d=0.0):
    columns = np.broadcast_arrays(*(np.atleast_1d(np.asarray(c, float)) for c in (orders, spend, age, idle)))
    recent = [np.full(columns[0].shape, value) for value in (orders_30d, spend_30d)]
    return dict(zip(FEATURES, (*columns, *recent), strict=True))


def shoppers(n, seed=0, scale=1.0, horizon=273.0):
    """Shoppers whose expected spend falls with the days since the last order and grows with past spend."""
    rng = np.random.default_rng(seed)
    age, orders = rng.uniform(60, 270, n), 1.0 + rng.poisson(1.0, n)
    idle = np.where(orders > 1, age * rng.uniform(0, 1, n), age)
    spend = orders * rng.gamma(3, 10, n) * scale
    expected = spend * 2.0 ** (-idle / 60) * horizon / 273
    spent = np.where(rng.random(n) < 0.4, expected * rng.gamma(2, 1.25, n), 0.0)
    rows = CutOffRows(
        customers=np.array([f"c{seed}-{i}" for i in range(n)]),
        features=features(orders, spend, age, idle),
        rfm=np.zeros((n, RFM_COLUMNS)),
        spent=spent,
        horizon_days=horizon,
    )
    return rows, expected


@given(st.lists(st.floats(0, 270), min_size=1, max_size=2))
def test_the_fading_of_one_or_two_orders_is_exact(days):
    age, idle = max(days), min(days)
    if len(days) == 2 and age - idle < 1:
        return
    columns = np.expm1(design(features(len(days), 10.0 * len(days), age, idle))[0])
    for position, half_life in enumerate(HALF_LIVES_DAYS):
        left = sum(2.0 ** (-day / half_life) for day in days)
        assert columns[8 + 2 * position] == pytest.approx(left)
        assert columns[9 + 2 * position] == pytest.approx(10.0 * left)


def test_orders_between_the_first_and_the_last_count_as_spread_evenly():
    days = np.linspace(200, 20, 2001)
    left = np.expm1(design(features(2001, 1.0, 200, 20))[0][8])
    assert left == pytest.approx((2.0 ** (-days / HALF_LIVES_DAYS[0])).sum(), rel=1e-3)


def test_many_orders_on_one_instant_fade_together():
    assert np.expm1(design(features(5, 1.0, 60, 60))[0][10]) == pytest.approx(5 * 0.5)


def test_a_missing_feature_is_named():
    row = features(1, 1, 1, 1)
    del row["spend_30d"]
    with pytest.raises(InvalidInputError, match="spend_30d"):
        design(row)


def test_customers_without_a_purchase_are_refused():
    with pytest.raises(InvalidInputError, match="with a purchase"):
        design(features(0, 0, 10, np.nan))


def test_the_model_orders_new_shoppers_by_what_they_will_spend_and_keeps_the_mean():
    fit, _ = shoppers(2000)
    asked, expected = shoppers(2000, seed=1)
    predicted = fit_decayed_rate([fit], 273.0)(asked.features)
    assert concordance(expected, predicted) > 0.9
    assert predicted.mean() == pytest.approx(expected.mean(), rel=0.15)


def test_predictions_scale_with_the_currency():
    (small, _), (large, _) = shoppers(500), shoppers(500, scale=1000.0)
    ratio = (
        fit_decayed_rate([large], 273.0)(large.features).sum() / fit_decayed_rate([small], 273.0)(small.features).sum()
    )
    assert ratio == pytest.approx(1000.0, rel=0.05)


def test_a_shorter_horizon_is_taken_at_its_rate():
    short, _ = shoppers(2000, horizon=91.0)
    predicted = fit_decayed_rate([short], 273.0)(short.features)
    assert predicted.mean() == pytest.approx(3 * short.spent.mean(), rel=0.1)


def test_rows_in_which_nobody_spends_are_refused():
    rows, _ = shoppers(10)
    idle = CutOffRows(
        customers=rows.customers, features=rows.features, rfm=rows.rfm, spent=np.zeros(10), horizon_days=273.0
    )
    with pytest.raises(InvalidInputError, match="some spend"):
        fit_decayed_rate([idle], 273.0)


def test_recency_frequency_and_money_of_three_orders():
    row = rfm(np.array([100.0, 50.0, 20.0]), np.array([10.0, 40.0, 10.0]), np.array([1.0, 2.0, 1.0]))
    assert len(row) == RFM_COLUMNS
    assert row[:9] == [3, 80, 100, 20, 60, 20, 10, 10, 40]
    assert row[10:14] == [4, 15, 40, 30]
    assert row[14:] == [1, 10, 2, 50, 2, 50]


def test_two_parts_multiply_to_the_money_that_was_spent():
    rng = np.random.default_rng(0)
    numbers = rng.gamma(2, 3, (500, RFM_COLUMNS))
    spent = np.where(rng.random(500) < 0.3, numbers[:, 0] * rng.gamma(2, 1, 500), 0.0)
    predicted = two_part(numbers, spent, numbers)
    assert predicted.sum() == pytest.approx(spent.sum())
    assert concordance(spent, predicted) > 0.55


def test_two_parts_need_buyers_and_others():
    with pytest.raises(InvalidInputError, match="one kind"):
        two_part(np.ones((4, RFM_COLUMNS)), np.ones(4), np.ones((4, RFM_COLUMNS)))
