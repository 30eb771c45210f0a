import numpy as np
import pytest

from models.exceptions import InvalidInputError
from models.profile import WIDTH
from models.training.rows import TrainingRows, assign_folds

NAMES = ("spend_30d", "mean_rating_30d")
USERS = ("u1", "u2", "u3")


def rows(nothing: float | None = None) -> TrainingRows:
    return TrainingRows.checked(
        NAMES, [[1.0, nothing], [2.0, 4.0], [3.0, 5.0]], np.zeros((3, WIDTH)), [0, 10, 20], USERS
    )


def test_the_target_is_the_logarithm_of_the_money() -> None:
    np.testing.assert_array_equal(rows().target, np.log1p([0, 10, 20]))


def test_chosen_rows_keep_their_values_together() -> None:
    chosen = rows().where(np.array([False, True, True]))
    assert chosen.values.tolist() == [[2.0, 4.0], [3.0, 5.0]]
    assert chosen.profiles.shape == (2, WIDTH)
    assert chosen.money.tolist() == [10, 20]
    np.testing.assert_array_equal(chosen.target, np.log1p([10, 20]))


def test_features_that_vary_are_found_and_taken_in_their_order() -> None:
    names = ("still", "spend_30d", "never", "still_or_null", "mean_rating_30d")
    scalars = [[7, 1, None, 4, None], [7, 2, None, None, 4], [7, 3, None, 4, 5]]
    wider = TrainingRows.checked(names, scalars, np.zeros((3, WIDTH)), [0, 10, 20], USERS)
    columns = wider.varying(names)
    assert columns.names == NAMES
    taken = wider.taking(columns)
    np.testing.assert_array_equal(taken.values, rows().values)
    assert taken.values.flags.c_contiguous
    assert taken.digest(columns.names, USERS) == rows().digest(NAMES, USERS)


def test_rows_that_all_vary_are_not_copied() -> None:
    kept = rows()
    assert kept.taking(kept.varying(NAMES)).values is kept.values


def test_rows_without_a_feature_that_varies_are_refused() -> None:
    still = TrainingRows.checked(NAMES, [[0.1, None]] * 3, np.zeros((3, WIDTH)), [0, 10, 20], USERS)
    with pytest.raises(InvalidInputError, match="at least one feature that varies, found none among 2; check"):
        still.varying(NAMES)


def test_null_has_one_digest_whatever_the_bits_of_its_nan() -> None:
    other_nan = float(np.array([0x7FF8DEADBEEF0001], dtype=np.uint64).view(np.float64)[0])
    digests = {rows(nothing).digest(NAMES, USERS) for nothing in (None, float("nan"), -float("nan"), other_nan)}
    assert len(digests) == 1
    assert rows(1.0).digest(NAMES, USERS) not in digests


def test_a_user_keeps_the_fold_wherever_the_rows_stand() -> None:
    users = [f"user-{i}" for i in range(500)]
    folds = dict(zip(users, assign_folds(users, 5, seed=1), strict=True))
    assert [folds[user] for user in users[::-3]] == assign_folds(users[::-3], 5, seed=1).tolist()
    assert min(np.bincount(list(folds.values()), minlength=5)) > 50
    assert assign_folds(users, 5, seed=2).tolist() != list(folds.values())


def test_folds_are_the_same_in_every_release() -> None:
    assert assign_folds(["a", "b", "c", "é"], 5, seed=0).tolist() == [4, 1, 0, 3]
