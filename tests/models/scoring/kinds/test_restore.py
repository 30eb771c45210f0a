import numpy as np
import pytest
from support.spenders import NAMES, spenders

from models.exceptions import ArtefactError
from models.scoring.kinds.ensemble import EnsembleModel
from models.scoring.kinds.restore import restore, tensor_types
from models.training.fits.boosting import BoostingOptions, fit_boosting
from models.training.fits.linear import fit_linear


@pytest.fixture(scope="module")
def ensemble() -> EnsembleModel:
    rows = spenders(200)
    linear = fit_linear(NAMES, rows, weight_decay=0.1, epochs=50).model
    trees = fit_boosting(NAMES, rows, BoostingOptions(rounds=3, rows_per_leaf=20), seed=0).model
    return EnsembleModel(members=(linear, trees), weights=np.array([0.25, 0.75]))


def test_an_ensemble_comes_back_with_its_members_and_weights(ensemble: EnsembleModel) -> None:
    again = restore("ensemble", NAMES, ensemble.document(), ensemble.tensors())
    rows = spenders(40, seed=3)
    expected = ensemble.contributions(rows.values, rows.profiles)
    assert again.contributions(rows.values, rows.profiles).tolist() == expected.tolist()
    assert again.intercept == ensemble.intercept
    assert again.attribution == "weighted mean of exact, tree_path"


def test_the_types_of_the_tensors_are_known_before_they_are_read(ensemble: EnsembleModel) -> None:
    for model in (ensemble, *ensemble.members):
        found = {name: (str(tensor.dtype), tensor.ndim) for name, tensor in model.tensors().items()}
        assert tensor_types(model.kind, model.document()) == found


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "expected its members' kinds"),
        ({"members": 3}, "expected its members' kinds"),
        ({"members": [{"kind": "linear"}]}, "expected its members' kinds"),
        ({"members": [{"kind": "oracle", "model": {}}]}, "expected one of ensemble, gbm, linear, loglinear, ziln"),
        ({"members": [{"kind": "ensemble", "model": {}}]}, "expected one of"),
        ({"members": [{"kind": "gbm", "model": {}}] * 2}, "two of one"),
        ({"members": [{"kind": "linear", "model": {}}]}, "linear: expected the description of such a model"),
        ({"members": [{"kind": "linear", "model": 3}]}, "linear: expected the description of such a model"),
        ({"members": [{"kind": "linear", "model": {"transforms": ["cube"] * 5}}]}, "linear: expected the description"),
        ({"members": []}, "expected members of the same features, found none"),
    ],
)
def test_a_document_of_no_such_model_is_refused(ensemble: EnsembleModel, document: dict, message: str) -> None:
    with pytest.raises(ArtefactError, match=message):
        restore("ensemble", NAMES, document, ensemble.tensors())


def test_trees_of_more_features_than_are_served_are_refused(ensemble: EnsembleModel) -> None:
    trees = ensemble.members[1]
    tensors = trees.tensors()
    tensors["feature"] = np.where(tensors["feature"] >= 0, len(NAMES) + 63, -1)
    assert restore("gbm", NAMES, {}, tensors).names == NAMES
    with pytest.raises(ArtefactError, match="trees: expected nodes that lead to leaves by 4 features"):
        restore("gbm", NAMES[:-1], {}, tensors)
