from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from support.spenders import DAY_MS, NAMES, instants_of, spenders, users_of

from models.artefact.artefact import Artefact
from models.artefact.card import card
from models.artefact.drift_reference import DriftReference
from models.artefact.files import DOCUMENT_FILE, TENSORS_FILE
from models.exceptions import InvalidInputError
from models.profile import Projection
from models.training.candidate import order_loss
from models.training.splits import HORIZON_MS, split
from models.training.train import TrainingResult, train

ROWS = 1500


def trained(kind: str, **changes: object) -> TrainingResult:
    rows = spenders(ROWS)
    arguments: dict = {
        "names": NAMES,
        "scalars": rows.values,
        "profiles": rows.profiles,
        "target_money": rows.money,
        "users": users_of(ROWS),
        "instants": instants_of(ROWS),
        "seed": 5,
        "folds": 3,
        "epochs": 200,
        "trials": 2,
    }
    return train(kind=kind, **{**arguments, **changes})


def artefact_of(result: TrainingResult) -> Artefact:
    rows = spenders(ROWS)
    return Artefact(
        scorer=result.scorer,
        projection=Projection.orthogonal(96),
        encoder_name="mini",
        encoder_identity="mini@0123456789ab",
        date=date(2026, 11, 23),
        seed=5,
        data="made-up shoppers",
        data_hash=result.data_hash,
        metrics=result.metrics,
        drift=DriftReference.fit(NAMES, rows.values, result.scorer.model.predict(rows.values, rows.profiles)),
    )


@pytest.fixture(scope="module")
def results() -> Callable[[str], TrainingResult]:
    known: dict[str, TrainingResult] = {}

    def result_of(kind: str) -> TrainingResult:
        if kind not in known:
            known[kind] = trained(kind)
        return known[kind]

    return result_of


KINDS = ("loglinear", "linear", "ziln", "gbm", "ensemble")
MEMBERS = ("linear", "ziln", "gbm")


@pytest.mark.parametrize("kind", KINDS)
def test_reasons_sum_to_the_prediction_and_say_how_they_were_found(
    results: Callable[[str], TrainingResult], kind: str
) -> None:
    scorer, rows = results(kind).scorer, spenders(50, seed=8)
    predictions = scorer.predict(rows.values, rows.profiles)
    for i in range(50):
        total = predictions.intercept + sum(contribution for _, contribution in predictions.reasons(i))
        assert total == pytest.approx(predictions.prediction[i], rel=1e-9, abs=1e-9)
    assert predictions.attribution == scorer.attribution
    assert (scorer.attribution == "exact") == (kind == "linear")
    np.testing.assert_allclose(predictions.prediction, scorer.model.predict(rows.values, rows.profiles), atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_a_number_is_refused_by_every_kind(results: Callable[[str], TrainingResult], kind: str) -> None:
    scorer, rows = results(kind).scorer, spenders(3)
    endless, unknown = rows.values.copy(), rows.profiles.copy()
    endless[1, 1], unknown[1, 1] = np.inf, np.nan
    for values, profiles in ((endless, rows.profiles), (rows.values, unknown)):
        with pytest.raises(InvalidInputError, match="expected finite numbers"):
            scorer.predict(values, profiles)
    with pytest.raises(InvalidInputError, match=r"profiles: expected shape \[3, 64\], found \[2, 64\]"):
        scorer.predict(rows.values, rows.profiles[:2])
    alone = scorer.predict(rows.values, None, use_profile=False)
    assert alone.prediction.tolist() == scorer.predict(rows.values, np.zeros_like(rows.profiles)).prediction.tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_loaded_scores_to_the_last_bit_like_what_was_saved(
    results: Callable[[str], TrainingResult], kind: str, tmp_path: Path
) -> None:
    saved = artefact_of(results(kind))
    saved.save(tmp_path / "first")
    loaded = Artefact.load(tmp_path / "first")
    rows = spenders(50, seed=8)
    before, after = (each.scorer.predict(rows.values, rows.profiles) for each in (saved, loaded))
    assert before.prediction.tolist() == after.prediction.tolist()
    assert before.contributions.tolist() == after.contributions.tolist()
    assert loaded.version == saved.version
    assert loaded.scorer.model.kind == kind
    assert loaded.drift is not None
    assert loaded.drift.names == NAMES
    loaded.save(tmp_path / "second")
    for file in (TENSORS_FILE, DOCUMENT_FILE):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()
    assert {path.suffix for path in (tmp_path / "first").iterdir()} == {".json", ".safetensors"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_with_more_features_scores_the_same_and_its_reasons_name_the_right_ones(
    results: Callable[[str], TrainingResult], kind: str
) -> None:
    fitted, rows = artefact_of(results(kind)), spenders(50, seed=8)
    expected = fitted.scorer.predict(rows.values, rows.profiles)
    for place in range(len(NAMES) + 1):
        names = (*NAMES[:place], "new_30d", *NAMES[place:])
        served = fitted.serving(names, None, fitted.width)
        wider = np.insert(rows.values, place, np.linspace(-9, 9, 50), axis=1)
        found = served.scorer.predict(wider, rows.profiles)
        assert found.prediction.tolist() == expected.prediction.tolist()
        assert [found.reasons(i) for i in range(50)] == [expected.reasons(i) for i in range(50)]
        assert served.drift is not None
        assert fitted.drift is not None
        bins = fitted.drift.bins(rows.values, expected.prediction)
        assert served.drift.bins(wider, expected.prediction).tolist() == bins.tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_feature_is_trained_on_and_its_contribution_bears_its_name(kind: str) -> None:
    rows = spenders(ROWS)
    names = ("new_30d", *NAMES)
    # It tells of what is spent later, so that every kind has a use for it.
    wider = np.insert(rows.values, 0, np.round(rows.money) * 1.5, axis=1)
    scorer = trained(kind, names=names, scalars=wider).scorer
    assert scorer.names == names
    predictions = scorer.predict(wider, rows.profiles)
    foremost = [predictions.reasons(i)[0][0] for i in range(ROWS)]
    assert foremost.count("new_30d") > ROWS / 2


@pytest.mark.parametrize("kind", ["loglinear", "ziln", "gbm", "ensemble"])
def test_the_same_data_and_seed_give_the_same_scorer(results: Callable[[str], TrainingResult], kind: str) -> None:
    assert artefact_of(trained(kind)).version == artefact_of(results(kind)).version


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_learns_what_decides_spending(results: Callable[[str], TrainingResult], kind: str) -> None:
    found = results(kind)
    assert found.metrics["concordance"] > 0.6
    later = found.metrics["later"]
    assert isinstance(later, dict)
    assert later["concordance"] > 0.55


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_chosen_is_what_lost_least(results: Callable[[str], TrainingResult], kind: str) -> None:
    found = results(kind).metrics
    losses, later = found["loss_by_option"], found["later"]
    assert isinstance(losses, dict)
    assert isinstance(later, dict)
    lost = later["rmse_log1p" if kind == "linear" else "order_loss"]
    if kind == "loglinear":
        # The profile's penalty may lose a little more, if that is not told apart from the least.
        assert lost == losses[f"profile_weight_decay {results(kind).options['profile_weight_decay']:g}"]
    else:
        assert min(losses.values()) == pytest.approx(lost, rel=1e-9)


def test_an_ensemble_is_no_worse_than_its_members_where_it_was_chosen(
    results: Callable[[str], TrainingResult],
) -> None:
    losses = {}
    for kind in (*MEMBERS, "ensemble"):
        later = results(kind).metrics["later"]
        assert isinstance(later, dict)
        losses[kind] = later["order_loss"]
    assert losses["ensemble"] <= min(losses.values())
    assert sum(results("ensemble").options.values()) == pytest.approx(1)


@pytest.mark.parametrize("kind", ["loglinear", "linear", "gbm"])
def test_a_prediction_out_of_fold_has_not_seen_its_user(results: Callable[[str], TrainingResult], kind: str) -> None:
    before = results(kind)
    held_out = before.splits.folds == before.splits.folds[0]
    money = spenders(ROWS).money.copy()
    # The order within the fold, and so the options chosen, stay as they were.
    money[held_out] *= 3
    after = trained(kind, target_money=money)
    assert after.options.keys() == before.options.keys()
    if after.options == before.options:
        others = np.isin(before.splits.folds, before.splits.folds[0], invert=True)
        assert not np.allclose(before.out_of_fold[others], after.out_of_fold[others])
    if kind == "linear":
        assert before.out_of_fold[held_out].tolist() == after.out_of_fold[held_out].tolist()


def test_a_candidate_is_judged_on_other_users_and_on_later_instants_than_any_outcome_it_saw() -> None:
    rows, users, instants = spenders(ROWS), np.array(users_of(ROWS)), instants_of(ROWS)
    splits = split(rows, users.tolist(), instants, 5, 0)
    assert splits.timed
    for part in splits.by_choice:
        assert part.fit.any()
        assert part.stop.any()
        assert part.judge.any()
        groups = [set(users[mask]) for mask in (part.fit, part.stop, part.judge)]
        assert len(set.union(*groups)) == sum(map(len, groups))
        assert (instants[part.fit | part.stop] + HORIZON_MS).max() <= instants[part.judge].min()
    judged = np.sum([part.judge for part in splits.by_user], axis=0)
    assert judged.tolist() == [1] * ROWS
    for part in splits.by_user:
        assert (part.fit.astype(int) + part.stop + part.judge).tolist() == [1] * ROWS


@pytest.mark.parametrize("instants", [None, np.full(ROWS, 5 * DAY_MS), np.arange(ROWS) * 1000])
def test_rows_of_one_time_are_split_by_user_alone(instants: np.ndarray | None) -> None:
    splits = split(spenders(ROWS), users_of(ROWS), instants, 5, 0)
    assert not splits.timed
    assert splits.by_choice is splits.by_user
    assert "later" not in trained("linear", instants=instants, epochs=5).metrics


def test_two_folds_leave_rows_to_fit_on() -> None:
    found = trained("linear", folds=2, epochs=50)
    assert np.isfinite(found.out_of_fold).all()


def test_the_order_loss_is_0_for_the_perfect_order_and_the_same_on_every_scale() -> None:
    money, guess = np.array([0.0, 0.0, 3.0, 10.0]), np.array([0.1, 0.4, 0.3, 0.2])
    assert order_loss(money, np.log1p(money)) == pytest.approx(0)
    assert order_loss(money, -money) == pytest.approx(1.5)
    assert order_loss(money, guess) == order_loss(money, 100 * guess + 3)


@pytest.mark.parametrize("kind", ["loglinear", "ziln", "gbm", "ensemble"])
def test_progress_comes_to_its_end_and_losses_are_watched(kind: str) -> None:
    steps: list[tuple[str, int, int]] = []
    names: set[str] = set()
    trained(
        kind,
        progress=lambda *step: steps.append(step),
        watch=lambda name, step, loss: names.add(name),
    )
    for part in {"ensemble": ("linear", "ziln", "gbm")}.get(kind, (kind,)):
        of_part = [(done, total) for name, done, total in steps if name == part]
        assert of_part[-1][0] == of_part[-1][1]
        if part == "loglinear":
            assert [done for done, _ in of_part] == list(range(1, of_part[-1][1] + 1))
            assert "loglinear/search/order_loss" in names
        elif part != "linear":
            assert [done for done, _ in of_part] == list(range(1, 11))
            assert {f"{part}/search/order_loss", f"{part}/trial_1_2/validation", f"{part}/fold_0/validation"} <= names


def test_the_card_says_what_the_scorer_is_how_good_and_what_it_is_not_for(
    results: Callable[[str], TrainingResult],
) -> None:
    for kind in KINDS:
        artefact = artefact_of(results(kind))
        text = card(artefact, "wherewithal train --seed 5")
        assert text.startswith(f"# Model card: scorer {artefact.version}\n")
        for heading in ("Data and its limits", "Features", "Quality", "Intended use", "Not to be used for", "Fairness"):
            assert text.count(f"\n## {heading}\n") == 1
        for said in ("made-up shoppers", "wherewithal train --seed 5", artefact.scorer.attribution, *NAMES):
            assert said in text
        assert f"| `concordance` | {artefact.metrics['concordance']:.4f} |" in text
        assert "later than any outcome" in text
        assert text == card(artefact, "wherewithal train --seed 5")


def test_the_card_says_that_there_was_no_split_by_time() -> None:
    assert "allowed no split by time" in card(artefact_of(trained("linear", instants=None, epochs=5)), "train")
