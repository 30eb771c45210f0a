from __future__ import annotations

import numpy as np
import pytest

from models.exceptions import InvalidInputError
from models.measures.baselines import (
    BG_NBD,
    BG_NBD_GAMMA_GAMMA,
    BOOSTING,
    NAMES,
    PAST_ORDERS,
    PAST_SPEND,
    ZERO,
    Histories,
    baselines,
    bg_nbd_gamma_gamma,
)


def histories(n, seed=0):
    """Shoppers who buy at rates of their own for a while, and what they spend in the 100 days after."""
    rng = np.random.default_rng(seed)
    age = rng.uniform(100, 270, n)
    rate, alive = rng.gamma(0.6, 0.02, n), np.minimum(rng.exponential(200, n), age)
    later = rng.poisson(rate * alive)
    recency = np.where(later > 0, alive * rng.uniform(0.5, 1, n), 0.0)
    worth = rng.gamma(4, 8, n)
    spent = rng.poisson(rate * 100 * (alive >= age)) * worth
    return Histories(later + 1.0, recency, age, (later + 1.0) * worth), spent


@pytest.fixture(scope="module")
def known():
    return histories(600)


def test_every_baseline_predicts_money_for_every_user(known):
    fit, spent = known
    users, _ = histories(50, seed=1)
    predicted = baselines(users, fit, spent, horizon_days=100)
    assert tuple(predicted) == NAMES
    assert all(row.shape == (50,) and np.isfinite(row).all() and (row >= 0).all() for row in predicted.values())
    assert not predicted[ZERO].any()


def test_counts_and_sums_are_scaled_so_that_they_add_up_to_what_was_spent(known):
    fit, spent = known
    predicted = baselines(fit, fit, spent, horizon_days=100)
    for name in (PAST_SPEND, PAST_ORDERS):
        assert predicted[name].sum() == pytest.approx(spent.sum())


def test_the_process_expects_more_of_those_who_bought_often_and_lately(known):
    users = Histories(np.array([2.0, 6.0, 6.0]), np.array([180.0, 180.0, 60.0]), np.full(3, 200.0), np.full(3, 120.0))
    orders, _ = bg_nbd_gamma_gamma(users, known[0], horizon_days=100)
    assert orders[1] > orders[0]
    assert orders[1] > orders[2]


def test_the_expected_order_value_lies_between_the_users_own_and_the_mean_of_all(known):
    fit, _ = known
    users = Histories(np.ones(1), np.zeros(1), np.full(1, 100.0), np.full(1, 500.0))
    _, worth = bg_nbd_gamma_gamma(users, fit, horizon_days=100)
    assert fit.mean_order.mean() < worth[0] < 500.0


def test_the_process_is_fitted_on_other_histories_when_they_are_given(known):
    fit, spent = known
    other, _ = histories(400, seed=7)
    own, foreign = (baselines(fit, fit, spent, horizon_days=100, process=process) for process in (None, other))
    for name in NAMES:
        assert np.array_equal(own[name], foreign[name]) == (name not in (BG_NBD, BG_NBD_GAMMA_GAMMA))


def test_the_same_arguments_give_the_same_predictions(known):
    fit, spent = known
    first, second = (baselines(fit, fit, spent, horizon_days=100) for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in NAMES)


def test_nobody_is_expected_to_spend_where_nobody_did(known):
    fit, _ = known
    predicted = baselines(fit, fit, np.zeros(600), horizon_days=100)
    assert not any(predicted[name].any() for name in (PAST_SPEND, PAST_ORDERS, BOOSTING))


def test_fitting_prints_nothing(known, capfd):
    fit, spent = known
    baselines(fit, fit, spent, horizon_days=100)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("orders", "recency", "age", "spend"),
    [
        ([0], [0], [5], [1]),
        ([1], [6], [5], [1]),
        ([1], [0], [5], [-1]),
        ([1], [0], [5], [np.nan]),
        ([1, 2], [0], [5], [1]),
    ],
)
def test_impossible_histories_are_refused(orders, recency, age, spend):
    with pytest.raises(InvalidInputError, match="histories: expected"):
        Histories(*(np.array(column, dtype=float) for column in (orders, recency, age, spend)))


def test_amounts_that_do_not_fit_the_histories_are_refused(known):
    with pytest.raises(InvalidInputError, match="expected 600 finite amounts"):
        baselines(known[0], known[0], np.ones(3), horizon_days=100)
