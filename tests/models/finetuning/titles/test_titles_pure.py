"""Purchases, their association and their ranking: what a run over titles learns from and is judged by."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.baskets_of_words import purchases_of

from features.text_sum import TASTE_HALF_LIFE
from models.finetuning.exceptions import FinetuningError
from models.finetuning.titles import purchases as module
from models.finetuning.titles.association import association, factors, taken
from models.finetuning.titles.purchases import Line, Pairs, gather, split
from models.finetuning.titles.ranking import HALF_LIFE_MS, LastBaskets, interval

DAY = 86_400_000
LINES = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 5)), min_size=1, max_size=60)


@given(LINES)
@settings(max_examples=60, deadline=None)
def test_association_is_symmetric_never_negative_and_says_nothing_of_strangers(lines):
    groups, titles = (np.array(each) for each in zip(*lines, strict=True))
    owned = [set(titles[groups == group]) for group in np.unique(groups)]
    together = {(a, b) for own in owned for a in own for b in own if a != b}
    counts = taken(groups, titles, 6)
    if not together:
        with pytest.raises(FinetuningError, match="bought together"):
            association(counts)
        return
    found = association(counts)
    np.testing.assert_array_equal(found, found.T)
    assert (found >= 0).all()
    assert {(a, b) for a, b in zip(*np.nonzero(found), strict=True)} <= together
    assert found.any()
    assert np.isfinite(factors(found, 64)).all()


def test_titles_that_never_go_together_more_than_others_teach_nothing():
    with pytest.raises(FinetuningError, match="all do alike"):
        factors(np.zeros((5, 5), dtype=np.float32), 64)


def test_association_is_that_of_the_formula():
    groups, titles = np.array([0, 0, 0, 1, 1, 2, 2]), np.array([0, 0, 1, 0, 2, 1, 2])
    counts = np.log1p(np.array([[2, 1, 0], [1, 0, 1], [0, 1, 1]]))
    together = counts.T @ counts
    np.fill_diagonal(together, 0)
    joint, company = together / together.sum(), together.sum(0) / together.sum()
    smoothed = company**0.75 / (company**0.75).sum()
    with np.errstate(divide="ignore"):
        wanted = np.maximum(0, np.log(joint / np.outer(company, smoothed)))
    np.testing.assert_allclose(association(taken(groups, titles, 3)), (wanted + wanted.T) / 2, atol=1e-6)


def test_factors_tell_apart_what_different_people_buy():
    bought = gather(purchases_of(60))
    found = factors(association(taken(bought.shopper, bought.title, len(bought.titles))), 2)
    own = np.isin(np.arange(len(bought.titles)), bought.title[bought.shopper % 2 == 0])
    unit = found / np.linalg.norm(found, axis=1, keepdims=True)
    near = unit @ unit.T
    same = own[:, None] == own[None]
    assert near[same].min() > near[~same].max()


def test_a_title_counts_once_however_it_is_written_and_not_if_it_says_nothing():
    found = gather([Line("a", "1", "Red  APPLE", 0), Line("b", None, "red apple", 1), Line("a", "1", "", 2)])
    assert len(found.titles) == 1 or found.titles == ("Red APPLE", "red apple")
    assert found.left_out == 1
    assert len(found) == 2
    with pytest.raises(FinetuningError, match="with a title"):
        gather([Line("a", "1", " ", 0)])


def test_baskets_are_of_one_shopper_and_a_line_without_order_is_its_own():
    lines = [Line("a", "1", "tea", 0), Line("b", "1", "tea", 0), Line("a", None, "milk", 0), Line("a", None, "tea", 0)]
    found = gather(lines)
    assert len(set(found.groups(Pairs.BASKETS).tolist())) == 4
    assert len(set(found.groups(Pairs.SHOPPERS).tolist())) == 2


def test_nothing_is_learnt_of_those_who_are_erased():
    found = gather(purchases_of(8), {"u1", "u2"})
    assert {found.shoppers[index] for index in found.shopper} == {f"u{number}" for number in (0, 3, 4, 5, 6, 7)}


def test_the_rarest_titles_are_left_out_beyond_the_most_there_may_be(monkeypatch):
    monkeypatch.setattr(module, "MOST_TITLES", 2)
    lines = [Line("a", "1", title, 0) for title in ("tea", "tea", "milk", "milk", "bread")]
    found = gather(lines)
    assert found.titles == ("milk", "tea")
    assert (len(found), found.left_out) == (4, 1)
    assert found.frequencies.tolist() == [2, 2]


def test_no_part_of_the_split_shares_a_shopper_with_another():
    bought = gather(purchases_of(200))
    parts = split(bought, 3)
    sets = [set(part.shopper.tolist()) for part in parts]
    assert sum(map(len, sets)) == 200
    assert len(set.union(*sets)) == 200
    assert sum(map(len, parts)) == len(bought)
    with pytest.raises(FinetuningError, match="more shoppers"):
        split(gather(purchases_of(12)), 3)


def test_ranks_are_those_that_counting_gives():
    bought = gather(purchases_of(20))
    judge = LastBaskets.of(bought)
    vectors = np.random.default_rng(1).standard_normal((len(bought.titles), 5)).round(1)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    found = judge.ranked_above(vectors)
    for place, shopper in enumerate(np.unique(bought.shopper)):
        own = bought.shopper == shopper
        newest = bought.timestamp[own].max()
        taste = np.zeros(5)
        last = set()
        for title, time in zip(bought.title[own], bought.timestamp[own], strict=True):
            if time == newest:
                last.add(int(title))
            else:
                taste += 2.0 ** ((time - newest) / (60 * DAY)) * vectors[title]
        near = unit @ taste
        others = [near[title] for title in range(len(near)) if title not in last]
        above = [np.mean([(other > near[title]) + (other == near[title]) / 2 for other in others]) for title in last]
        assert found[place] == pytest.approx(np.mean(above), abs=1e-9)


def test_the_best_vectors_leave_nothing_above_and_empty_ones_are_chance():
    bought = gather(purchases_of(20, titles=6))
    judge = LastBaskets.of(bought)
    own = np.isin(np.arange(6), bought.title[bought.shopper == 0])
    best = np.column_stack([own, ~own]).astype(float)
    assert judge.ranked_above(best).mean() < 0.01
    assert judge.ranked_above(np.zeros((6, 2))).tolist() == [0.5] * 20


def test_shoppers_with_one_basket_judge_nothing():
    with pytest.raises(FinetuningError, match="two baskets"):
        LastBaskets.of(gather([Line(f"u{number}", "1", "tea", 0) for number in range(9)]))


def test_purchases_fade_as_in_the_served_taste():
    assert HALF_LIFE_MS == TASTE_HALF_LIFE


def test_the_interval_holds_the_mean_and_narrows_with_more_shoppers():
    few, many = (np.random.default_rng(0).normal(0.1, 1.0, count) for count in (50, 5000))
    for drawn in (few, many):
        low, high = interval(drawn)
        assert low < drawn.mean() < high
    assert np.ptp(interval(many)) < np.ptp(interval(few)) / 5
