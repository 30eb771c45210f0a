"""A feature that was the same in every training row says nothing, in every kind of scorer."""

from collections.abc import Callable

import numpy as np
import pytest
from support.spenders import NAMES, instants_of, spenders, users_of

from models.profile import WIDTH
from models.scoring.kinds.ensemble import EnsembleModel
from models.scoring.kinds.protocol import Model
from models.training.fits.boosting import BoostingOptions, fit_boosting
from models.training.fits.linear import fit_linear
from models.training.fits.loglinear import fit_loglinear
from models.training.fits.ziln import ZilnOptions, fit_ziln
from models.training.rows import TrainingRows
from models.training.train import KINDS, TrainingResult, train

ROWS = 600
PLACE = 2
WIDER = (*NAMES[:PLACE], "still_30d", *NAMES[PLACE:])
VALUES = np.linspace(-50, 1000, 40)
"""Of the feature, in rows that are scored."""


def wider(rows: TrainingRows, values: object) -> TrainingRows:
    """Return the rows with the feature beside theirs."""
    matrix = np.insert(rows.values, PLACE, values, axis=1)
    return TrainingRows(matrix, rows.profiles, rows.money, rows.target, rows.transforms)


def ensemble(names: tuple[str, ...], rows: TrainingRows) -> Model:
    members = tuple(FITS[kind](names, rows) for kind in ("linear", "ziln", "gbm"))
    return EnsembleModel(members=members, weights=np.array([0.2, 0.5, 0.3]))


FITS: dict[str, Callable[[tuple[str, ...], TrainingRows], Model]] = {
    "loglinear": lambda names, rows: fit_loglinear(names, rows, weight_decay=10.0, profile_weight_decay=100.0).model,
    "linear": lambda names, rows: fit_linear(names, rows, weight_decay=0.1, epochs=200).model,
    "ziln": lambda names, rows: fit_ziln(names, rows, ZilnOptions(hidden=4, epochs=5), seed=0).model,
    "gbm": lambda names, rows: (
        fit_boosting(names, rows, BoostingOptions(rounds=20, rows_per_leaf=20, feature_share=1.0), seed=0).model
    ),
    "ensemble": ensemble,
}


def test_every_kind_is_here() -> None:
    assert set(FITS) == set(KINDS)


# 0.1 and 1e6 / 3 have no exact mean in binary; the rest of it must not pass for spread.
@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 / 3, np.nan])
@pytest.mark.parametrize("kind", KINDS)
def test_it_contributes_0_and_moves_nothing_even_where_it_is_fitted(kind: str, value: float) -> None:
    model = FITS[kind](WIDER, wider(spenders(ROWS), value))
    asked = spenders(40, seed=8)
    as_trained, moved = (wider(asked, values) for values in (value, VALUES))
    terms = model.contributions(moved.values, moved.profiles)
    assert np.abs(terms[:, PLACE]).tolist() == [0.0] * 40
    found = model.predict(moved.values, moved.profiles)
    np.testing.assert_array_equal(found, model.predict(as_trained.values, as_trained.profiles))
    np.testing.assert_array_equal(terms, model.contributions(as_trained.values, as_trained.profiles))


@pytest.mark.parametrize("profile", [0.0, WIDTH**-0.5])
def test_profiles_that_never_varied_move_no_network(profile: float) -> None:
    rows = spenders(ROWS)
    alike = TrainingRows(rows.values, np.full_like(rows.profiles, profile), rows.money, rows.target, rows.transforms)
    model = fit_ziln(NAMES, alike, ZilnOptions(hidden=4, epochs=5), seed=0).model
    assert not model.contributions(rows.values, rows.profiles)[:, -1].any()
    assert model.predict(rows.values, rows.profiles).tolist() == model.predict(rows.values, None).tolist()


def trained(kind: str, names: tuple[str, ...], rows: TrainingRows) -> TrainingResult:
    return train(
        names,
        rows.values,
        rows.profiles,
        rows.money,
        users_of(ROWS),
        instants=instants_of(ROWS),
        seed=5,
        kind=kind,
        folds=3,
        epochs=50,
        trials=1,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_training_leaves_it_out_and_makes_what_it_would_make_had_it_never_been(kind: str) -> None:
    rows = spenders(ROWS)
    # A null counts as the mean, so that a feature which is 7 or null does not vary either.
    either = np.where(np.arange(ROWS) % 2, 7.0, np.nan)
    found, expected = trained(kind, WIDER, wider(rows, either)), trained(kind, NAMES, rows)
    assert found.left_out == ("still_30d",)
    assert expected.left_out == ()
    assert found.scorer.names == found.scorer.model.names == NAMES
    assert found.data_hash == expected.data_hash
    assert found.metrics == expected.metrics
    assert found.scorer.reference.tolist() == expected.scorer.reference.tolist()
    tensors = expected.scorer.model.tensors()
    assert {name: tensor.tobytes() for name, tensor in found.scorer.model.tensors().items()} == {
        name: tensor.tobytes() for name, tensor in tensors.items()
    }
    asked = spenders(40, seed=8)
    scored = found.scorer.predict(wider(asked, VALUES).values, asked.profiles)
    assert scored.prediction.tolist() == expected.scorer.predict(asked.values, asked.profiles).prediction.tolist()
    assert "still_30d" not in scored.names
