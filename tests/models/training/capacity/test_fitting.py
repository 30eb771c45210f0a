"""Fits of capacity: they find what is there, are judged on the unseen, and say nothing where there is nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.capacity_people import labelled, people

from models.exceptions import InvalidInputError
from models.measures.spend import spearman
from models.scoring.capacity import VECTORS
from models.training.capacity.design import Blend, Design
from models.training.capacity.fitting import Strength, choose, fit, out_of_fold
from models.training.capacity.people import MEAN_RANK, People, deal, ranks
from models.training.fits.linear import penalised_least_squares
from models.training.fits.ridge import moments, ridge_path


def test_the_closed_form_is_where_the_descent_of_the_house_ends() -> None:
    rng = np.random.default_rng(0)
    design, outcome = rng.normal(size=(40, 6)) @ rng.normal(size=(6, 6)), rng.normal(size=40)
    decays = np.array([0.01, 0.3, 10.0])
    gram, moment, _ = moments(design, outcome - outcome.mean())
    descended = penalised_least_squares([design], [outcome], decays, epochs=1500)[0]
    centred = design - design.mean(axis=0)
    np.testing.assert_allclose(centred @ ridge_path(gram, moment, decays).T, centred @ descended.T, atol=1e-5)


def test_behaviour_and_text_are_each_found_and_both_are_better_than_either() -> None:
    folk, trait = people(text=0.2, seed=1)
    given = labelled(trait + np.random.default_rng(1).normal(size=trait.size))
    found = {part: spearman(given.labels, out_of_fold(folk, given, part)) for part in ("behaviour", "text", "both")}
    assert found["behaviour"] > 0.3
    assert found["text"] > 0.3
    assert found["both"] > max(found["behaviour"], found["text"])


def test_labels_that_nothing_speaks_of_are_ordered_by_chance() -> None:
    folk, _ = people()
    labels = np.random.default_rng(2).normal(size=300)
    for part in ("behaviour", "text", "both"):
        assert abs(spearman(labels, out_of_fold(folk, labelled(labels), part))) < 0.2


def test_a_user_who_is_judged_has_no_say_in_the_fit() -> None:
    folk, trait = people(60)
    before = labelled(trait)
    dealt = deal(before.users, before.labels, 10, 0)
    first = out_of_fold(folk, before, "both")
    # Exchanged within a fold, labels deal users as before, and what the other folds teach stays.
    labels = trait.copy()
    pair = np.flatnonzero(dealt == dealt[0])[:2]
    labels[pair] = labels[pair[::-1]]
    after = labelled(labels)
    strength = Strength(1.0, Blend(1.0, 0.0))
    kept = before.where(dealt != dealt[0]), after.where(dealt != dealt[0])
    models = [fit(Design(folk, "both"), known, strength) for known in kept]
    assert models[0].weights.tolist() == models[1].weights.tolist()
    assert np.isfinite(first).all()


def test_without_text_the_text_says_nothing_and_both_are_behaviour() -> None:
    folk, trait = people()
    mute = People(
        names=folk.names,
        values=folk.values,
        vectors=np.zeros_like(folk.vectors),
        transforms=folk.transforms,
        windows=folk.windows,
    )
    given = labelled(trait)
    assert set(out_of_fold(mute, given, "text").tolist()) == {MEAN_RANK}
    assert out_of_fold(mute, given, "both").tolist() == out_of_fold(mute, given, "behaviour").tolist()


def test_the_model_reads_two_vectors_and_only_the_features_that_vary() -> None:
    folk, trait = people()
    design = Design(folk, "both")
    model = fit(design, labelled(trait), choose(design, labelled(trait), folds=5, seed=0))
    assert model.names == ("spend_30d", "views_1h", "lifetime_orders")
    assert model.vectors == VECTORS
    terms = model.contributions(folk.values[:, design.kept], folk.vectors)
    predicted = model.predict(folk.values[:, design.kept], folk.vectors)
    np.testing.assert_allclose(model.intercept + terms.sum(axis=1), predicted, atol=1e-12)
    # Means of the columns are taken out of the fit, so predictions are ranks.
    assert predicted.mean() == pytest.approx(MEAN_RANK)


def test_the_weights_are_those_of_one_penalty_for_each_kind_of_column() -> None:
    folk, trait = people(120)
    design, given = Design(folk, "both"), labelled(trait)
    blend = Blend(text_share=4.0, window_power=1.0)
    model = fit(design, given, Strength(0.5, blend))
    factors = design.factors(blend)
    assert factors[0] == pytest.approx((30 / 365.25) ** 0.5)
    assert (factors[2], factors[-1]) == (1.0, 0.5)
    scaled = design.matrix * factors
    centred, target = scaled - scaled.mean(axis=0), ranks(trait) - MEAN_RANK
    expected = np.linalg.solve(centred.T @ centred / 120 + 0.5 * np.eye(len(factors)), centred.T @ target / 120)
    np.testing.assert_allclose(model.weights, (expected * factors)[:3], atol=1e-9)


def test_any_rising_change_of_the_labels_leaves_everything_as_it_is() -> None:
    folk, trait = people(80)
    brackets = np.round(2 * trait)
    first = out_of_fold(folk, labelled(brackets), "both")
    assert first.tolist() == out_of_fold(folk, labelled(np.exp(brackets) * 1e6), "both").tolist()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=40))
def test_ranks_are_the_share_below_with_half_of_the_equal(labels: list[int]) -> None:
    expected = [(sum(o < x for o in labels) + 0.5 * sum(o == x for o in labels)) / len(labels) for x in labels]
    found = ranks(np.array(labels, dtype=np.float64))
    np.testing.assert_allclose(found, expected)
    assert found.mean() == pytest.approx(MEAN_RANK)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=20, max_size=90), st.integers(2, 10), st.randoms())
def test_folds_are_alike_whatever_the_order_of_the_users(labels: list[int], folds: int, random: object) -> None:
    users = [f"u{i}" for i in range(len(labels))]
    dealt = deal(users, np.array(labels, dtype=np.float64), folds, 3)
    sizes = np.bincount(dealt, minlength=folds)
    assert sizes.min() >= 2
    assert sizes.max() - sizes.min() <= 1
    order = list(range(len(labels)))
    random.shuffle(order)  # type: ignore[attr-defined]
    again = deal([users[i] for i in order], np.array([labels[i] for i in order], dtype=np.float64), folds, 3)
    assert again.tolist() == [dealt[i] for i in order]


def test_too_few_labels_and_labels_without_an_order_are_refused() -> None:
    folk, trait = people(30)
    with pytest.raises(InvalidInputError, match="expected at least 20 users with a label and a row, found 19"):
        out_of_fold(folk, labelled(trait[:19]), "both")
    with pytest.raises(InvalidInputError, match="expected at least two that differ"):
        out_of_fold(folk, labelled(np.ones(30)), "both")


def test_rows_that_do_not_fit_are_refused() -> None:
    folk, _ = people(30)
    rest = {"names": folk.names, "transforms": {}, "windows": {}}
    with pytest.raises(InvalidInputError, match="expected shapes"):
        People(values=folk.values[:, :2], vectors=folk.vectors, **rest)
    with pytest.raises(InvalidInputError, match="expected finite numbers"):
        People(values=folk.values, vectors=np.full_like(folk.vectors, np.nan), **rest)
