"""Exact binomial tails, and what one is worth after all looks."""

from __future__ import annotations

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from features.items.tails import JOINED_TAIL, MOST_DECADES, TESTS, Evidence, binomial_tail, decades, evidence, joined


@given(st.integers(0, 3_000), st.data(), st.floats(1e-6, 1 - 1e-6))
def test_the_tail_is_that_of_scipy(of, data, share):
    found = data.draw(st.integers(0, of + 1))
    expected = float(binom.sf(found - 1, of, share))
    assert binomial_tail(found, of, share) == pytest.approx(expected, rel=1e-8, abs=1e-14)


@pytest.mark.parametrize(("found", "of"), [(1_100, 1_000_000), (10, 1_000_000), (1_000_000, 1_000_000)])
def test_the_tail_of_very_many_trials_is_that_of_scipy(found, of):
    assert binomial_tail(found, of, 1e-3) == pytest.approx(float(binom.sf(found - 1, of, 1e-3)), rel=1e-6)


def test_shares_at_the_ends_and_no_trials():
    assert binomial_tail(0, 0, 0.5) == 1.0
    assert binomial_tail(1, 0, 0.5) == 0.0
    assert binomial_tail(3, 5, 1.0) == 1.0
    assert binomial_tail(1, 5, 0.0) == 0.0


def test_decades_count_what_is_left_of_a_tail_after_all_looks():
    assert decades(1e-6, 1_000) == pytest.approx(3.0)
    assert decades(0.01, 1_000) == 0.0
    assert decades(0.0, 1_000) == MOST_DECADES


def test_evidence_holds_the_numbers_that_it_comes_from():
    found = evidence(8, 10, 0.2)
    assert (found.found, found.of, found.expected) == (8, 10, 2.0)
    assert found.tail == pytest.approx(float(binom.sf(7, 10, 0.2)))
    assert found.decades == decades(found.tail, TESTS * 10)


def test_nothing_looked_at_is_no_evidence():
    assert evidence(0, 0, 0.2) == (0, 0, 0.0, 1.0, 0.0)


def of_tail(tail: float) -> Evidence:
    return Evidence(1, 1, 0.1, tail, 0.0)


@given(st.floats(1e-12, JOINED_TAIL), st.floats(1e-12, JOINED_TAIL))
def test_two_tails_together_are_the_area_of_all_pairs_that_are_as_small(tail, other):
    # Of tails u and v that are uniform: u v <= w and both <= a. For u <= w / a every v up to a counts, beyond it w / u.
    w, a = tail * other, JOINED_TAIL
    area = w / a * a + w * (log(a) - log(w / a))
    found = joined(of_tail(tail), of_tail(other), 30)
    assert found.tail == pytest.approx(area)
    assert found.decades == decades(found.tail, TESTS * 30)
    assert w <= found.tail <= a * a * (1 + 1e-9)


@pytest.mark.parametrize(("tail", "other"), [(1e-9, 0.06), (0.06, 1e-9), (1.0, 1.0)])
def test_what_is_odd_without_a_burst_or_a_burst_of_ordinary_reviews_is_nothing_together(tail, other):
    assert joined(of_tail(tail), of_tail(other), 30)[3:] == (1.0, 0.0)


def test_together_tails_of_nothing_are_the_most():
    assert joined(of_tail(0.0), of_tail(0.01), 30).decades == MOST_DECADES
