from dataclasses import replace

import numpy as np
import pytest
from support.spenders import NAMES, spenders

from models.exceptions import ArtefactError
from models.scoring.kinds.ensemble import EnsembleModel
from models.scoring.kinds.protocol import Model
from models.training.fits.boosting import BoostingOptions, fit_boosting
from models.training.fits.linear import fit_linear
from models.training.fits.ziln import ZilnOptions, fit_ziln
from models.training.rows import TrainingRows


@pytest.fixture(scope="module")
def rows() -> TrainingRows:
    return spenders(400)


@pytest.fixture(scope="module")
def members(rows: TrainingRows) -> tuple[Model, ...]:
    return (
        fit_linear(NAMES, rows, weight_decay=0.1, epochs=200).model,
        fit_ziln(NAMES, rows, ZilnOptions(hidden=4, epochs=3), seed=0).model,
        fit_boosting(NAMES, rows, BoostingOptions(rounds=5, rows_per_leaf=20), seed=0).model,
    )


def test_predictions_contributions_and_intercept_are_the_weighted_means(
    members: tuple[Model, ...], rows: TrainingRows
) -> None:
    weights = np.array([0.5, 0.3, 0.2])
    ensemble = EnsembleModel(members=members, weights=weights)
    values, profiles = rows.values, rows.profiles
    predictions = sum(w * m.predict(values, profiles) for w, m in zip(weights, members, strict=True))
    terms = sum(w * m.contributions(values, profiles) for w, m in zip(weights, members, strict=True))
    np.testing.assert_allclose(ensemble.predict(values, profiles), predictions, rtol=1e-12)
    np.testing.assert_allclose(ensemble.contributions(values, profiles), terms, rtol=1e-9, atol=1e-12)
    total = ensemble.intercept + ensemble.contributions(values, profiles).sum(axis=1)
    np.testing.assert_allclose(total, ensemble.predict(values, profiles), rtol=0, atol=1e-9)


def test_it_names_the_methods_of_its_members(members: tuple[Model, ...]) -> None:
    both = EnsembleModel(members=members, weights=np.array([0.2, 0.4, 0.4]))
    assert both.attribution == "weighted mean of exact, integrated_gradients, tree_path"
    assert EnsembleModel(members=members[:1], weights=np.array([1.0])).attribution == "exact"


def test_a_member_without_weight_has_no_say_and_is_not_asked(members: tuple[Model, ...], rows: TrainingRows) -> None:
    one = EnsembleModel(members=members, weights=np.array([0.0, 0.0, 1.0]))
    found = one.predict(rows.values, rows.profiles)
    assert found.tolist() == members[2].predict(rows.values, rows.profiles).tolist()
    assert one.attribution == "tree_path"


@pytest.mark.parametrize("weights", [[0.5, 0.5], [0.5, 0.6, -0.1], [0.5, 0.5, 0.5], [np.nan, 0.5, 0.5]])
def test_weights_that_are_no_mean_are_refused(members: tuple[Model, ...], weights: list[float]) -> None:
    with pytest.raises(ArtefactError, match="ensemble: expected 3 weights >= 0 of sum 1"):
        EnsembleModel(members=members, weights=np.array(weights))


def test_members_that_do_not_belong_together_are_refused(members: tuple[Model, ...]) -> None:
    few = spenders(40)
    other = fit_linear(NAMES[:1], replace(few, values=few.values[:, :1]), weight_decay=0.1, epochs=5).model
    nested = EnsembleModel(members=members[:1], weights=np.array([1.0]))
    for wrong in ((), (members[0], other), (members[0], nested)):
        with pytest.raises(ArtefactError, match="ensemble: expected members of the same features"):
            EnsembleModel(members=wrong, weights=np.full(len(wrong), 0.5))
