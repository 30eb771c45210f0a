import numpy as np

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
