from datetime import date
from pathlib import Path

import numpy as np
import pytest

from models.artefact.artefact import Artefact
from models.artefact.files import DOCUMENT_FILE, TENSORS_FILE
from models.exceptions import InvalidInputError
from models.profile import WIDTH, Projection
from models.scoring.calibration import Calibration
from models.training.candidate import Candidate
from models.training.fits.linear import penalised_least_squares
from models.training.train import TrainingResult, train

NAMES = ("views_30d", "spend_30d", "lifetime_spend", "mean_rating_30d", "reviews_1h")


def shoppers(n: int = 300) -> dict:
    """Rows of made-up shoppers, two a user, whose past spend tells what they spend next."""
    rng = np.random.default_rng(11)
    wealth = rng.gamma(1, 2, size=n)
    rows = np.stack(
        [rng.poisson(3, n), 10 * wealth, 100 * wealth + rng.random(n), rng.integers(1, 6, n), np.zeros(n)], axis=1
    ).astype(object)
    rows[rng.random(n) < 0.3, 3] = None
    profiles = rng.normal(size=(n, WIDTH))
    profiles /= np.linalg.norm(profiles, axis=1, keepdims=True)
    profiles[::2] = 0
    money = np.where(rng.random(n) < 0.6, np.round(np.exp(wealth / 2 + rng.normal(size=n) / 2), 2), 0.0)
    return {
        "names": NAMES,
        "scalars": rows.tolist(),
        "profiles": profiles.astype(np.float32),
        "target_money": money,
        "users": [f"user-{i // 2}" for i in range(n)],
        "seed": 5,
        "kind": "linear",
        "epochs": 600,
    }


@pytest.fixture(scope="module")
def result() -> TrainingResult:
    return train(**shoppers())


def ridge(design: np.ndarray, outcome: np.ndarray, decay: float) -> np.ndarray:
    centred = design - design.mean(axis=0)
    gram = centred.T @ centred / len(design) + decay * np.eye(design.shape[1])
    return np.linalg.solve(gram, centred.T @ (outcome - outcome.mean()) / len(design))


@pytest.mark.parametrize(("noise", "tolerance"), [(1.0, 1e-9), (0.1, 1e-9), (0.01, 1e-4)])
def test_descent_meets_the_ridge_solution_even_where_columns_nearly_coincide(noise: float, tolerance: float) -> None:
    rng = np.random.default_rng(0)
    designs = [rng.normal(size=(80, 1)) + noise * rng.normal(size=(80, 12)) + 3 for _ in range(2)]
    outcomes = [design[:, 0] + rng.normal(size=80) + 7 for design in designs]
    decays = np.array([0.001, 0.1, 10.0])
    weights = penalised_least_squares(designs, outcomes, decays)
    assert weights.shape == (2, 3, 12)
    for design, outcome, by_decay in zip(designs, outcomes, weights, strict=True):
        centred = design - design.mean(axis=0)
        for decay, row in zip(decays, by_decay, strict=True):
            np.testing.assert_allclose(centred @ row, centred @ ridge(design, outcome, decay), atol=tolerance)


def test_the_scorer_is_the_ridge_regression_of_log_money_on_the_standardised_rows(result: TrainingResult) -> None:
    data, model = shoppers(), result.scorer.model
    values = result.scorer.features_of(data["scalars"])
    design = np.hstack([model.standardiser.apply(values), data["profiles"]])
    target = np.log1p(data["target_money"])
    weights = ridge(design, target, result.options["weight_decay"])
    np.testing.assert_allclose(np.concatenate([model.weights, model.vector_weights]), weights, atol=1e-6)
    assert model.intercept == pytest.approx(target.mean() - design.mean(axis=0) @ weights, rel=1e-6)


def test_the_same_data_and_seed_give_the_same_bytes(result: TrainingResult, tmp_path: Path) -> None:
    for name, run in (("first", result), ("second", train(**shoppers()))):
        Artefact(
            scorer=run.scorer,
            projection=Projection.orthogonal(96),
            encoder_name="mini",
            encoder_identity="mini@0123456789ab",
            date=date(2026, 11, 23),
            seed=5,
            data="made-up shoppers",
            data_hash=run.data_hash,
            metrics=run.metrics,
        ).save(tmp_path / name)
    for file in (TENSORS_FILE, DOCUMENT_FILE):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()


def test_what_decides_spending_is_learnt(result: TrainingResult) -> None:
    assert result.metrics["spearman"] > 0.2
    assert result.metrics["concordance"] > 0.6
    assert result.metrics["normalized_gini"] > 0.3
    weights = dict(zip(result.scorer.names, result.scorer.model.weights, strict=True))
    assert weights["spend_30d"] + weights["lifetime_spend"] > 2 * abs(weights["views_30d"])


def test_a_feature_that_never_varied_is_left_out(result: TrainingResult) -> None:
    assert result.left_out == ("reviews_1h",)
    assert result.scorer.names == NAMES[:-1]
    assert result.scorer.row_names == NAMES


def test_a_prediction_out_of_fold_has_not_seen_its_user() -> None:
    data = shoppers()
    before = train(**data, weight_decays=[0.1])
    fold = before.splits.folds[0]
    changed = data["target_money"].copy()
    changed[before.splits.folds == fold] = 1e6
    after = train(**{**data, "target_money": changed}, weight_decays=[0.1])
    held_out = before.splits.folds == fold
    assert before.out_of_fold[held_out].tolist() == after.out_of_fold[held_out].tolist()
    others = Calibration.fit(before.out_of_fold[~held_out], data["target_money"][~held_out])
    assert before.out_of_fold_spend[held_out].tolist() == others.apply(before.out_of_fold[held_out]).tolist()
    assert not np.allclose(before.out_of_fold[~held_out], after.out_of_fold[~held_out])


def test_the_weight_decay_of_least_error_is_chosen(result: TrainingResult) -> None:
    by_decay = result.metrics["loss_by_option"]
    assert isinstance(by_decay, dict)
    assert f"{result.options['weight_decay']:g}" == min(by_decay, key=lambda decay: by_decay[decay])
    target = np.log1p(shoppers()["target_money"])
    assert np.sqrt(np.mean((result.out_of_fold - target) ** 2)) == pytest.approx(min(by_decay.values()))


def test_the_calibration_keeps_the_mean_of_the_out_of_fold_predictions(result: TrainingResult) -> None:
    money = shoppers()["target_money"]
    assert result.scorer.calibration.apply(result.out_of_fold).mean() == pytest.approx(money.mean(), rel=1e-9)


def test_the_reference_is_the_scores_own_population(result: TrainingResult) -> None:
    data = shoppers()
    predictions = result.scorer.predict(data["scalars"], data["profiles"])
    assert result.scorer.reference.tolist() == sorted(predictions.prediction.tolist())
    assert predictions.score.max() == 100.0
    assert predictions.tier.count("premium") == pytest.approx(0.05 * 300, abs=1)


def test_progress_counts_every_descent_to_the_end() -> None:
    seen: list[tuple[str, int, int]] = []
    train(**{**shoppers(60), "epochs": 150}, progress=lambda *step: seen.append(step))
    assert seen == [("linear", done, 450) for done in (100, 150, 250, 300, 400, 450)]


def test_the_data_hash_changes_with_any_part_of_the_data() -> None:
    data = {**shoppers(40), "epochs": 1}
    rows = [list(row) for row in data["scalars"]]
    rows[0][0] += 1
    profiles = data["profiles"].copy()
    profiles[0, 0] += 1
    changes = [
        {},
        {"scalars": rows},
        {"profiles": profiles},
        {"target_money": data["target_money"] + 1},
        {"users": [f"{user}x" for user in data["users"]]},
        {"names": ("views_7d", *NAMES[1:])},
    ]
    hashes = [train(**{**data, **change}).data_hash for change in changes]
    assert len(set(hashes)) == len(changes)
    assert train(**data).data_hash == hashes[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target_money": np.zeros(40)}, "target money: expected amounts >= 0 of which at least two differ"),
        ({"target_money": np.full(40, -1.0)}, "target money"),
        ({"target_money": np.full(40, np.nan)}, "expected finite numbers"),
        ({"target_money": np.zeros(39)}, "training rows: expected 40 profiles"),
        ({"users": ["u"] * 39}, "training rows: expected 40 profiles"),
        ({"users": ["u"] * 40}, "found them all in one"),
        ({"profiles": np.zeros((40, 63))}, "training rows: expected 40 profiles of 64"),
        ({"profiles": np.full((40, 64), np.nan)}, "expected finite numbers"),
        ({"scalars": [[np.inf] * 5] * 40}, "expected finite numbers"),
        ({"scalars": [[1.0] * 4] * 40}, "feature rows: expected 5 numbers"),
        (
            {"scalars": [[1.0, 2.5, 0.1, None, 0.0]] * 40},
            "training rows: expected at least one feature that varies, found none among 5; check the events",
        ),
        ({"scalars": [], "users": [], "target_money": [], "profiles": np.empty((0, 64))}, "target money"),
        ({"folds": 1}, "folds: expected at least 2, found 1"),
        ({"weight_decays": []}, "weight decays: expected at least one"),
        ({"weight_decays": [0.0]}, "weight decays: expected at least one, each > 0"),
        ({"epochs": 0}, "epochs: expected at least 1, found 0"),
        ({"instants": np.zeros(39, dtype=np.int64)}, r"instants: expected 40, one for each row, found \[39\]"),
        ({"kind": "oracle"}, "scorer: expected one of loglinear, linear, ziln, gbm, ensemble, found 'oracle'"),
        ({"kind": "ziln", "folds": 2}, "ziln: expected users in at least 3 folds"),
        ({"kind": "gbm", "trials": 0}, "at least 1 trial, found 5 and 0"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(change: dict, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        train(**{**shoppers(40), **change})


def test_candidates_that_are_kept_from_one_kind_serve_the_next_and_change_nothing() -> None:
    given = shoppers() | {"trials": 1, "folds": 3}
    alone = train(**given | {"kind": "ensemble"})
    made: dict[str, Candidate] = {}
    for kind in ("linear", "ziln", "gbm"):
        train(**given | {"kind": kind}, made=made)
    assert set(made) == {"linear", "ziln", "gbm"}
    fitted: list[str] = []
    together = train(**given | {"kind": "ensemble"}, made=made, progress=lambda kind, done, of: fitted.append(kind))
    assert fitted == []
    assert together.out_of_fold.tobytes() == alone.out_of_fold.tobytes()
    assert together.metrics == alone.metrics
    assert together.data_hash == alone.data_hash
