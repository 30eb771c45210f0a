import numpy as np
import pytest
from support.spenders import NAMES, spenders, users_of

from models.exceptions import InvalidInputError
from models.scoring.kinds.loglinear import LogLinearModel
from models.training.candidate import Candidate, order_loss_of
from models.training.loglinear import PROFILE_WEIGHT_DECAYS, WEIGHT_DECAYS, loglinear_candidate
from models.training.rows import TrainingRows
from models.training.splits import split

ROWS = 1500


def chosen(rows: TrainingRows, **options: object) -> Candidate:
    return loglinear_candidate(NAMES, rows, split(rows, users_of(ROWS), None, 5, 0), **options)  # type: ignore[arg-type]


def with_a_telling_profile() -> TrainingRows:
    rows = spenders(ROWS)
    rng = np.random.default_rng(3)
    told = 2.0 * rows.profiles[:, 0] * np.sqrt(64)
    money = np.where(rng.random(ROWS) < 1 / (1 + np.exp(1 - told)), np.exp(2 + told / 2), 0.0)
    return TrainingRows(rows.values, rows.profiles, money, np.log1p(money))


def test_a_profile_that_carries_nothing_is_left_next_to_nothing_to_say() -> None:
    found = chosen(spenders(ROWS))
    assert found.options["profile_weight_decay"] == max(PROFILE_WEIGHT_DECAYS)
    assert isinstance(found.model, LogLinearModel)
    rows = spenders(ROWS)
    said = np.abs(found.model.contributions(rows.values, rows.profiles)[:, -1])
    assert said.max() < 0.01


def test_a_profile_that_tells_who_spends_is_listened_to() -> None:
    found = chosen(with_a_telling_profile())
    assert found.options["profile_weight_decay"] < max(PROFILE_WEIGHT_DECAYS)
    loss = found.losses[f"profile_weight_decay {found.options['profile_weight_decay']:g}"]
    assert loss < found.losses[f"profile_weight_decay {max(PROFILE_WEIGHT_DECAYS):g}"] - 0.1


def test_every_setting_is_reported_and_the_one_chosen_has_the_loss_that_it_was_chosen_by() -> None:
    rows = spenders(ROWS)
    watched: list[float] = []
    found = chosen(rows, watch=lambda name, step, loss: watched.append(loss))
    assert len(watched) == len(found.losses) == len(WEIGHT_DECAYS) + len(PROFILE_WEIGHT_DECAYS)
    splits = split(rows, users_of(ROWS), None, 5, 0)
    lost = order_loss_of(rows, splits, found.chosen_on)
    assert lost == pytest.approx(found.losses[f"profile_weight_decay {found.options['profile_weight_decay']:g}"])
    assert np.isfinite(found.out_of_fold).all()


@pytest.mark.parametrize("name", ["weight_decays", "profile_weight_decays"])
@pytest.mark.parametrize("values", [(), (0.0,), (np.inf,)])
def test_penalties_that_are_none_are_refused(name: str, values: tuple[float, ...]) -> None:
    with pytest.raises(InvalidInputError, match="weight decays: expected at least one, each > 0"):
        chosen(spenders(ROWS), **{name: values})
