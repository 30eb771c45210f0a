"""Titles of what was clicked: taken in with the click or later, once each, whatever happens in between."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from support import reference
from support.reference import DAY, Raw

from features.observation import Source
from features.outcome import Outcome
from features.users import codec, row
from features.users.state import UserState

from .test_state import AGES, BASE, ENCODER, VECTORS, assert_equal, observe

ONE, TWO = np.eye(64)[0], np.eye(64)[1]
CLICKS = st.lists(st.tuples(st.sampled_from([*reference.TITLE_WEIGHTS, "remove", "refund"]), AGES), max_size=30)


def click(offset: int, what: str = "purchase", age: int = 0, title: tuple[float, ...] | None = tuple(ONE)) -> Raw:
    return Raw("clicks", str(offset), what, BASE - age, title=title)


@settings(max_examples=80, deadline=None)
@given(CLICKS.filter(bool), st.integers(0, 2**32))
def test_titles_read_late_in_any_order_give_what_titles_read_at_once_give(drawn, seed):
    rng = random.Random(seed)
    events = [click(offset, what, age, VECTORS[offset % 10]) for offset, (what, age) in enumerate(drawn)]
    state, unread = UserState(), []
    for offset, event in enumerate(events):
        waits = rng.random() < 0.7
        seen = observe(event, offset, waits)
        state.apply(seen, ENCODER)
        if seen.title_waits:
            unread.append((offset, seen.timestamp, seen.title_weight, np.asarray(event.title)))
        assert state.waiting == sorted(found[0] for found in unread)
        if unread and rng.random() < 0.4:
            assert state.read_title(*unread.pop(rng.randrange(len(unread))), ENCODER)
        state = codec.decode(codec.encode(state))
    revision = state.revision
    rng.shuffle(unread)
    for found in unread:
        assert state.read_title(*found, ENCODER)
        assert not state.read_title(*found, ENCODER), "it lands once"
    assert (state.waiting, state.revision) == ([], revision)
    assert_equal(state, reference.features(events), None)


def test_a_title_that_is_not_waited_for_changes_nothing():
    state = UserState()
    state.apply(observe(click(1), 1), ENCODER)
    before = codec.encode(state)
    assert not state.read_title(1, BASE, 1.0, ONE, ENCODER), "it came with its click"
    assert not state.read_title(2, BASE, 1.0, ONE, ENCODER)
    assert codec.encode(state) == before


def test_a_title_that_lands_counts_as_a_change_and_not_as_an_event():
    state = UserState()
    state.apply(observe(click(1), 1, waits=True), ENCODER)
    sequence = state.sequence
    assert state.read_title(1, BASE, 1.0, None, ENCODER), "one that says nothing is taken off the list too"
    assert (state.sequence, state.revision, state.waiting) == (sequence + 1, 1, [])
    assert not row.taste(state, ENCODER).any()


def test_neither_a_duplicate_nor_a_redelivered_click_waits_for_its_title():
    state = UserState()
    assert state.apply(observe(click(1), 1), ENCODER) is Outcome.APPLIED
    assert state.apply(observe(click(1), 2, waits=True), ENCODER) is Outcome.DUPLICATE
    assert state.apply(observe(click(1), 1, waits=True), ENCODER) is Outcome.REDELIVERED
    assert state.waiting == []
    np.testing.assert_array_equal(row.taste(state, ENCODER), ONE.astype(np.float32))


def test_an_erasure_empties_the_list_and_forgets_taste_and_orders():
    state = UserState()
    state.apply(observe(click(1), 1, waits=True), ENCODER)
    state.apply(observe(Raw("clicks", "p", "purchase", BASE, 1.0, order_id="a", title=tuple(TWO)), 2), ENCODER)
    state.erase(BASE, 0, Source.ERASURES)
    assert (state.waiting, state.orders, state.lifetime_orders, state.taste_encoder) == ([], b"", 0, "")
    assert not state.read_title(1, BASE, 1.0, ONE, ENCODER)
    assert not row.taste(state, ENCODER).any()


def test_removing_and_refunding_say_nothing_of_taste():
    state = UserState()
    for offset, what in enumerate(("remove", "refund"), 1):
        state.apply(observe(click(offset, what), offset, waits=True), ENCODER)
    assert (state.waiting, row.taste(state, ENCODER).any()) == ([], False)


def test_the_weights_and_the_half_life_are_those_of_the_contract():
    state = UserState()
    state.apply(observe(click(1, "view", 60 * DAY), 1), ENCODER)
    state.apply(observe(click(2, "cart", 0, tuple(TWO)), 2), ENCODER)
    wanted = 0.25 / 2 * ONE + 0.5 * TWO
    np.testing.assert_allclose(row.taste(state, ENCODER), wanted / np.linalg.norm(wanted), atol=1e-6)
    np.testing.assert_array_equal(row.tastes([state, UserState()], ENCODER)[1], np.zeros(64))


def test_the_sum_keeps_its_identity_until_the_first_title_of_another_counts():
    state = UserState()
    state.apply(observe(click(1), 1), "old@1")
    assert not row.taste(state, "new@2").any()
    state.apply(observe(Raw("searches", "s", "search", BASE, weight=0.5, vector=tuple(ONE)), 1), "new@2")
    assert row.taste(state, "old@1").any(), "a text is no title"
    state.apply(observe(click(2, title=tuple(TWO)), 2, waits=True), "new@2")
    assert row.taste(state, "old@1").any()
    assert state.read_title(2, BASE, 1.0, TWO, "new@2")
    np.testing.assert_array_equal(row.taste(state, "new@2"), TWO.astype(np.float32))
    assert not row.taste(state, "old@1").any()
