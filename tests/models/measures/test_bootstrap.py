import numpy as np
import pytest

from models.exceptions import InvalidInputError
from models.measures.bootstrap import intervals, resampled_rows


def test_a_user_is_drawn_with_all_rows_or_with_none():
    users = ["a", "b", "a", "c", "b", "a"]
    for rows in resampled_rows(users, draws=50, seed=1):
        counts = np.bincount(rows, minlength=6)
        assert counts[0] == counts[2] == counts[5]
        assert counts[1] == counts[4]
        assert counts[0] + counts[1] + counts[3] == 3


def test_the_same_seed_draws_the_same_rows():
    users = [f"u{i // 2}" for i in range(40)]
    first, again, other = (
        np.concatenate(list(resampled_rows(users, draws=5, seed=seed))).tolist() for seed in (7, 7, 8)
    )
    assert first == again
    assert first != other


def test_what_cannot_be_measured_is_drawn_again():
    users = [str(i) for i in range(4)]
    drawn = list(resampled_rows(users, draws=30, seed=0, usable=lambda rows: 0 in rows))
    assert len(drawn) == 30
    assert all(0 in rows for rows in drawn)


def test_users_of_whom_nothing_can_be_measured_are_refused_after_a_bound():
    with pytest.raises(InvalidInputError, match="found 0 among 100"):
        list(resampled_rows(["a", "b"], draws=5, seed=0, usable=lambda rows: False))


@pytest.mark.parametrize(("users", "draws"), [([], 5), (["a"], 0)])
def test_no_row_and_no_draw_are_refused(users, draws):
    with pytest.raises(InvalidInputError, match="at least one row and one draw"):
        list(resampled_rows(users, draws=draws, seed=0))


def test_a_95_percent_interval_holds_the_truth_about_as_often_where_rows_of_a_user_resemble_each_other():
    generator = np.random.default_rng(3)
    users = np.repeat(np.arange(60), 5).astype(str).tolist()
    by_user = by_row = 0
    for trial in range(200):
        values = np.repeat(generator.normal(size=60), 5) + 0.3 * generator.normal(size=300)
        low, high = intervals(np.array([values[rows].mean() for rows in resampled_rows(users, draws=200, seed=trial)]))
        by_user += low <= 0 <= high
        rows_alone = generator.integers(0, 300, (200, 300))
        low, high = intervals(values[rows_alone].mean(axis=1))
        by_row += low <= 0 <= high
    assert 0.90 <= by_user / 200 <= 0.98
    assert by_row / 200 < 0.75


def test_a_draw_that_could_not_be_measured_is_left_out_of_an_interval():
    draws = np.array([[1.0], [np.nan], [1.0]])
    assert intervals(draws).tolist() == [[1.0], [1.0]]
