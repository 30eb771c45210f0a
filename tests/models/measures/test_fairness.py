import numpy as np
import pytest

from models.exceptions import InvalidInputError
from models.measures.bootstrap import resampled_rows
from models.measures.fairness import fairness


def judged(groups, selected, *, expected=None, spent=None, score=None, **options):
    n = len(groups)
    users = [str(i) for i in range(n)]
    return fairness(
        groups,
        users,
        np.full(n, 2.0) if spent is None else np.asarray(spent, float),
        np.full(n, 3.0) if expected is None else np.asarray(expected, float),
        np.linspace(0, 100, n) if score is None else np.asarray(score, float),
        np.asarray(selected, bool),
        resampled_rows(users, draws=40, seed=0),
        **options,
    )


def test_rates_ratios_and_calibration_by_hand():
    groups = ["a"] * 40 + ["b"] * 50
    selected = [True] * 20 + [False] * 20 + [True] * 15 + [False] * 35
    spent = [2.0] * 40 + [4.0] * 50
    found = judged(groups, selected, spent=spent, score=[10.0] * 40 + list(range(50)))
    a, b = found["groups"]["a"], found["groups"]["b"]
    assert (a["rows"], a["users"], b["rows"], b["users"]) == (40, 40, 50, 50)
    assert a["selection_rate"] == 0.5
    assert b["selection_rate"] == 0.3
    assert (a["ratio"], b["ratio"]) == (1.0, pytest.approx(0.6))
    assert (a["calibration_ratio"], b["calibration_ratio"]) == (1.5, 0.75)
    assert a["score_quantiles"] == [10.0] * 5
    assert b["score_quantiles"] == pytest.approx(np.percentile(np.arange(50), (10, 25, 50, 75, 90)))
    low, high = b["selection_rate_interval"]
    assert low < 0.3 < high
    assert found["warnings"] == [{"kind": "selection_rate", "group": "b", "value": pytest.approx(0.6)}]


def test_four_fifths_exactly_is_no_warning():
    groups = ["a"] * 40 + ["b"] * 40
    assert judged(groups, [True] * 20 + [False] * 20 + [True] * 16 + [False] * 24)["warnings"] == []


def test_a_small_group_is_named_and_neither_compared_nor_compared_with():
    groups = ["few"] * 5 + ["many"] * 60
    found = judged(groups, [True] * 5 + [True] * 6 + [False] * 54)
    assert found["warnings"] == [{"kind": "small_group", "group": "few", "value": 5}]
    assert found["groups"]["few"]["ratio"] is None
    assert found["groups"]["many"]["ratio"] == 1.0


def test_users_are_counted_once_however_many_rows_they_have():
    users = ["u"] * 50 + [str(i) for i in range(40)]
    groups = ["one user"] * 50 + ["others"] * 40
    numbers = np.ones(90)
    found = fairness(groups, users, numbers, numbers, numbers, numbers > 0, resampled_rows(users, draws=20, seed=1))
    assert found["groups"]["one user"]["users"] == 1
    assert [warning["group"] for warning in found["warnings"]] == ["one user"]


def test_nobody_selected_and_nothing_spent_divide_by_nothing():
    found = judged(["a"] * 40, [False] * 40, spent=[0.0] * 40)
    assert found["groups"]["a"]["ratio"] is None
    assert found["groups"]["a"]["calibration_ratio"] is None
    assert found["warnings"] == []


def test_a_column_with_a_value_for_everybody_is_refused():
    with pytest.raises(InvalidInputError, match="found 60"):
        judged([str(i) for i in range(60)], [True] * 60)


def test_columns_of_different_length_are_refused():
    with pytest.raises(InvalidInputError, match="columns of one length"):
        judged(["a"] * 40, [True] * 39)
