"""The reviews that are remembered of an item: few, the newest, in any order of arrival the same."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.exceptions import StateFormatError
from features.items.review_memory import ENTRY_BYTES, KEPT, REMEMBERED_REVIEWS, SIGNED, ReviewMemory
from features.items.review_signature import SIGNATURE_BYTES, signature

REVIEWS = st.tuples(
    st.integers(-(10**9), 10**10) | st.integers(-(10**9), 10**15),
    st.integers(1_000_000, 5_000_000),
    st.none() | st.integers(-1_000_000, 1_000_000),
    st.booleans(),
    st.just(b"") | st.binary(min_size=SIGNATURE_BYTES, max_size=SIGNATURE_BYTES),
)


def remembered(reviews) -> ReviewMemory:
    memory = ReviewMemory()
    for review in reviews:
        memory.add(*review)
    return memory


@given(st.lists(REVIEWS, max_size=REMEMBERED_REVIEWS * 2), st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(reviews, rng: random.Random):
    shuffled = rng.sample(reviews, len(reviews))
    assert remembered(shuffled).joined == remembered(reviews).joined


@given(st.lists(REVIEWS, max_size=REMEMBERED_REVIEWS * 2))
def test_the_newest_are_kept_in_bounded_bytes_and_come_back_from_them(reviews):
    memory = remembered(reviews)
    assert len(memory.joined) <= REMEMBERED_REVIEWS * ENTRY_BYTES
    times = sorted(review[0] for review in reviews)
    newest = [when for when in times if when >= times[-1] - KEPT][-REMEMBERED_REVIEWS:]
    assert [review.timestamp for review in ReviewMemory(memory.joined).since(-(2**62))] == newest


@given(st.lists(REVIEWS, min_size=1, max_size=REMEMBERED_REVIEWS))
def test_a_signature_is_kept_for_a_month_and_that_there_was_a_text_for_longer(reviews):
    memory = remembered(reviews)
    newest = max(review[0] for review in reviews)
    said = {review[0]: set() for review in reviews}
    for when, *_, signed in reviews:
        said[when].add(signed)
    for review in memory.since(-(2**62)):
        if review.timestamp >= newest - SIGNED:
            assert review.signature in said[review.timestamp]
        else:
            assert review.signature in (b"", bytes(SIGNATURE_BYTES))
            assert bool(review.signature) in {bool(each) for each in said[review.timestamp]}


@given(st.lists(REVIEWS, max_size=REMEMBERED_REVIEWS * 2), st.integers(-(10**9), 10**10))
def test_the_reviews_before_a_time_are_counted_since_all_are_known(reviews, upper):
    memory = remembered(reviews)
    found, since = memory.before(upper)
    held = [review.timestamp for review in memory.since(-(2**62))]
    if since is None:
        assert len(held) < REMEMBERED_REVIEWS
        assert found == sum(when < upper for when in held)
    else:
        assert since == held[0]
        assert found == max(0, sum(when < upper for when in held) - 1)


@given(REVIEWS)
def test_a_review_comes_back_to_a_step(review):
    timestamp, rating, polarity, new, signed = review
    (found,) = remembered([review]).since(timestamp)
    assert found.timestamp == timestamp
    assert found.rating == pytest.approx(rating / 1e6, abs=0.011)
    assert (found.new_reviewer, found.signature) == (new, signed)
    if polarity is None:
        assert found.polarity is None
    else:
        assert found.polarity == pytest.approx(polarity / 1e6, abs=0.004)


def test_only_reviews_of_the_time_asked_for_are_returned():
    memory = remembered([(when, 5_000_000, None, False, b"") for when in (1, 2, 3)])
    assert [review.timestamp for review in memory.since(2)] == [2, 3]


@given(st.lists(REVIEWS, max_size=5))
def test_polarities_of_another_head_are_forgotten_and_nothing_else(reviews):
    memory = remembered(reviews)
    memory.forget_polarities()
    assert memory.joined == remembered([(*review[:2], None, *review[3:]) for review in reviews]).joined


def test_a_signature_of_another_release_is_like_none_of_ours():
    (found,) = remembered([(1, 5_000_000, None, False, signature("a text of some length, and more") + b"?")]).since(0)
    assert found.signature == bytes(SIGNATURE_BYTES)


@pytest.mark.parametrize("joined", [b"x", bytes(ENTRY_BYTES * (REMEMBERED_REVIEWS + 1)), bytes(ENTRY_BYTES - 1)])
def test_damaged_bytes_are_refused(joined):
    with pytest.raises(StateFormatError, match="remembered reviews"):
        ReviewMemory(joined)
