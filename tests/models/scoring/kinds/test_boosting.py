import numpy as np
import pytest
from support.spenders import NAMES, spenders

from models.exceptions import ArtefactError, InvalidInputError
from models.measures.spend import concordance
from models.profile import WIDTH
from models.scoring.kinds.boosting import BoostedModel
from models.training.fits.boosting import BoostingOptions, exported, fit_boosting
from models.training.rows import TrainingRows

lightgbm = pytest.importorskip("lightgbm")

OPTIONS = BoostingOptions(rounds=30, leaves=6, rows_per_leaf=20, patience=3)
FEATURES = len(NAMES) + WIDTH


@pytest.fixture(scope="module")
def rows() -> TrainingRows:
    return spenders(900)


@pytest.fixture(scope="module")
def model(rows: TrainingRows) -> BoostedModel:
    found = fit_boosting(NAMES, rows, OPTIONS, seed=3).model
    assert isinstance(found, BoostedModel)
    return found


def by_lightgbm(data: np.ndarray, target: np.ndarray, **changes: object) -> lightgbm.Booster:
    parameters = {"objective": "regression", "verbosity": -1, "num_threads": 1, "min_data_in_leaf": 5, **changes}
    return lightgbm.train(parameters, lightgbm.Dataset(data, target), 20)


@pytest.mark.parametrize("nulls_in_training", [True, False])
@pytest.mark.parametrize("boost_from_average", [True, False])
def test_predictions_are_those_of_lightgbm_nulls_included(nulls_in_training: bool, boost_from_average: bool) -> None:
    rng = np.random.default_rng(0)
    data = rng.normal(size=(500, FEATURES))
    target = np.where(data[:, 0] > 0, data[:, 1], data[:, 2] ** 2) + rng.normal(size=500) / 10
    if nulls_in_training:
        data[rng.random(data.shape) < 0.2] = np.nan
        target[np.isnan(data[:, 0])] += 3
    booster = by_lightgbm(data, target, boost_from_average=boost_from_average)
    unseen = rng.normal(size=(400, FEATURES))
    unseen[:20] = data[:20]
    values, profiles = unseen[:, : len(NAMES)], np.nan_to_num(unseen[:, len(NAMES) :])
    values[rng.random(values.shape) < 0.3] = np.nan
    unseen[:, len(NAMES) :] = profiles
    found = exported(NAMES, booster.dump_model()).predict(values, profiles)
    np.testing.assert_allclose(found, booster.predict(unseen), rtol=1e-12, atol=1e-12)


def test_a_value_on_the_threshold_goes_the_way_it_went_in_training(model: BoostedModel) -> None:
    inner = np.flatnonzero(model.feature >= 0)
    node = int(inner[model.feature[inner] < len(NAMES)][0])
    single = BoostedModel(
        names=NAMES,
        roots=np.array([0]),
        feature=np.array([model.feature[node], -1, -1]),
        threshold=np.array([model.threshold[node], 0.0, 0.0]),
        null_left=np.array([0, 0, 0]),
        left=np.array([1, 1, 2]),
        right=np.array([2, 1, 2]),
        value=np.array([1.5, 1.0, 2.0]),
    )
    row = np.zeros((4, len(NAMES)))
    bound = model.threshold[node]
    row[:, model.feature[node]] = [bound, np.nextafter(bound, np.inf), np.nextafter(bound, -np.inf), np.nan]
    assert single.predict(row, None).tolist() == [1.0, 2.0, 1.0, 2.0]


def test_intercept_and_contributions_sum_to_the_prediction(model: BoostedModel, rows: TrainingRows) -> None:
    total = model.intercept + model.contributions(rows.values, rows.profiles).sum(axis=1)
    np.testing.assert_allclose(total, model.predict(rows.values, rows.profiles), rtol=0, atol=1e-9)


def test_a_path_adds_the_difference_of_means_to_the_feature_that_was_asked() -> None:
    split_twice = BoostedModel(
        names=NAMES,
        roots=np.array([0]),
        feature=np.array([1, -1, len(NAMES) + 7, -1, -1]),
        threshold=np.array([5.0, 0.0, 0.25, 0.0, 0.0]),
        null_left=np.array([1, 0, 0, 0, 0]),
        left=np.array([1, 1, 3, 3, 4]),
        right=np.array([2, 1, 4, 3, 4]),
        value=np.array([2.0, 1.0, 4.0, 3.0, 6.0]),
    )
    values, profiles = np.zeros((3, len(NAMES))), np.zeros((3, WIDTH))
    values[1:, 1] = 9
    profiles[2, 7] = 0.5
    terms = split_twice.contributions(values, profiles)
    assert split_twice.intercept == 2.0
    assert terms[:, 1].tolist() == [-1.0, 2.0, 2.0]
    assert terms[:, -1].tolist() == [0.0, -1.0, 2.0]
    assert not terms[:, [0, 2, 3, 4]].any()
    assert split_twice.predict(values, profiles).tolist() == [1.0, 3.0, 6.0]


def test_the_intercept_is_the_mean_prediction_of_the_rows_fitted_on(rows: TrainingRows) -> None:
    options = BoostingOptions(**{**vars(OPTIONS), "row_share": 1.0})
    found = fit_boosting(NAMES, rows, options, seed=0).model
    assert found.intercept == pytest.approx(found.predict(rows.values, rows.profiles).mean(), rel=1e-9)


def test_a_user_scores_the_same_to_the_last_bit_alone_and_in_a_batch(model: BoostedModel, rows: TrainingRows) -> None:
    values, profiles = rows.values[:70], rows.profiles[:70]
    predictions, terms = model.predict(values, profiles), model.contributions(values, profiles)
    for i in range(70):
        assert model.predict(values[i : i + 1], profiles[i : i + 1])[0] == predictions[i]
        assert model.contributions(values[i : i + 1], profiles[i : i + 1])[0].tolist() == terms[i].tolist()


def test_without_a_profile_the_profile_adds_what_zero_adds(model: BoostedModel, rows: TrainingRows) -> None:
    nothing = np.zeros_like(rows.profiles)
    assert model.contributions(rows.values, None).tolist() == model.contributions(rows.values, nothing).tolist()


def test_what_decides_spending_is_learnt(model: BoostedModel) -> None:
    unseen = spenders(2000, seed=9)
    assert concordance(unseen.money, model.predict(unseen.values, unseen.profiles)) > 0.6


def test_the_same_seed_gives_the_same_trees_and_another_does_not(model: BoostedModel, rows: TrainingRows) -> None:
    again, other = (fit_boosting(NAMES, rows, OPTIONS, seed=seed).model.tensors() for seed in (3, 4))
    assert {name: tensor.tobytes() for name, tensor in again.items()} == {
        name: tensor.tobytes() for name, tensor in model.tensors().items()
    }
    assert other["value"].tobytes() != model.value.tobytes()


def test_it_stops_early_and_keeps_the_best_trees(rows: TrainingRows) -> None:
    losses: dict[int, float] = {}
    options = BoostingOptions(rounds=300, leaves=16, learning_rate=0.3, rows_per_leaf=5, patience=4)
    found = fit_boosting(
        NAMES,
        rows,
        options,
        seed=0,
        validation=spenders(300, seed=5),
        watch=lambda name, step, loss: losses.update({step: loss}),
    )
    assert len(losses) < 300
    assert losses[found.rounds] == min(losses.values())
    assert isinstance(found.model, BoostedModel)
    assert found.model.roots.size == found.rounds


def test_rows_that_allow_no_split_give_their_mean() -> None:
    few = spenders(12)
    found = fit_boosting(NAMES, few, BoostingOptions(rows_per_leaf=50), seed=0)
    np.testing.assert_allclose(found.model.predict(few.values, few.profiles), few.target.mean(), rtol=1e-6)
    assert not found.model.contributions(few.values, few.profiles).any()


def test_trees_of_another_kind_are_refused() -> None:
    rng = np.random.default_rng(0)
    data = rng.normal(size=(300, FEATURES))
    data[rng.random(data.shape) < 0.3] = 0
    booster = by_lightgbm(data, data[:, 0], zero_as_missing=True)
    with pytest.raises(InvalidInputError, match="expected splits of numbers"):
        exported(NAMES, booster.dump_model())


@pytest.mark.parametrize(
    "change", [{"rounds": 0}, {"leaves": 1}, {"feature_share": 0.0}, {"row_share": 1.5}, {"weight_decay": -1.0}]
)
def test_options_that_cannot_be_fitted_are_refused(change: dict) -> None:
    with pytest.raises(InvalidInputError, match="boosting: expected positive sizes"):
        BoostingOptions(**change)


@pytest.mark.parametrize(
    "change",
    [
        {"feature": np.array([FEATURES, -1, -1])},
        {"feature": np.array([-2, -1, -1])},
        {"left": np.array([0, 1, 2])},
        {"left": np.array([1, 0, 2])},
        {"right": np.array([3, 1, 2])},
        {"right": np.array([-1, 1, 2])},
        {"roots": np.array([1])},
        {"roots": np.array([], dtype=np.int64)},
        {"roots": np.array([0, 0])},
        {"roots": np.array([0, 2])},
        {"threshold": np.array([np.nan, 0.0, 0.0])},
        {"value": np.array([0.0, np.inf, 0.0])},
        {"value": np.array([0.0, 1.0])},
    ],
)
def test_arrays_that_make_no_trees_are_refused(change: dict) -> None:
    arrays = {
        "roots": np.array([0]),
        "feature": np.array([2, -1, -1]),
        "threshold": np.array([0.5, 0.0, 0.0]),
        "null_left": np.array([1, 0, 0]),
        "left": np.array([1, 1, 2]),
        "right": np.array([2, 1, 2]),
        "value": np.array([0.5, 0.0, 1.0]),
    }
    assert BoostedModel(names=NAMES, **arrays).predict(np.ones((1, len(NAMES))), None).tolist() == [1.0]
    with pytest.raises(ArtefactError, match="trees: expected"):
        BoostedModel(names=NAMES, **{**arrays, **change})
