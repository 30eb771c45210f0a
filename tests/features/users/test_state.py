from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import reference
from support.reference import DAY, HOUR, Raw

from features.exceptions import StateFormatError
from features.observation import Kind, Observation, Source, category_key, event_key, to_micros
from features.outcome import Outcome
from features.users import codec, row
from features.users.catalogue import NAMES
from features.users.columns import DAYS
from features.users.state import REMEMBERED_IDS, UserState

BASE = 1_764_000_123_456
ENCODER = "test@0123456789ab"
SOURCES = {"reviews": Source.REVIEWS, "searches": Source.SEARCHES, "clicks": Source.CLICKS}
KINDS = {
    "view": Kind.VIEW,
    "favorite": Kind.FAVORITE,
    "cart": Kind.CART,
    "purchase": Kind.PURCHASE,
    "search": Kind.SEARCH,
    "review": Kind.REVIEW,
    "remove": Kind.REMOVE,
    "refund": Kind.REFUND,
}


def observe(event: Raw, offset: int, waits: bool = False) -> Observation:
    amount = None
    bought = event.what == "purchase" and event.price is not None
    if event.what in ("purchase", "refund") and event.price is not None:
        amount = to_micros(event.price * event.quantity)
    elif event.what == "view" and event.price is not None:
        amount = to_micros(event.price)
    elif event.rating is not None:
        amount = to_micros(event.rating)
    return Observation(
        kind=KINDS[event.what],
        source=SOURCES[event.topic],
        offset=offset,
        timestamp=event.timestamp,
        event_key=event_key(event.event_id),
        amount=amount,
        category=None if event.category is None else category_key(event.category),
        noisy=event.noisy,
        weight=event.weight,
        projected=None if event.vector is None else np.asarray(event.vector),
        units=event.quantity if bought else 0,
        order=event_key(event.order_id) if bought and event.order_id is not None else None,
        title_weight=reference.TITLE_WEIGHTS.get(event.what, 0.0) if event.title else 0.0,
        title=None if waits or event.title is None else np.asarray(event.title),
        title_waits=waits and bool(event.title) and event.what in reference.TITLE_WEIGHTS,
    )


# Instants on and beside every edge that matters, as well as anywhere.
AGES = st.one_of(
    st.integers(0, 40 * DAY),
    st.sampled_from([0, 1, HOUR, DAY, 7 * DAY, 30 * DAY, 31 * DAY]).flatmap(
        lambda edge: st.integers(edge - 2, edge + 2)
    ),
    st.integers(0, 2 * HOUR),
    st.just(20 * 365 * DAY),
)
VECTORS = [tuple(np.random.default_rng(number).standard_normal(64)) for number in range(10)]
PRICES = st.one_of(st.none(), st.floats(0, 1000), st.sampled_from([0.1, 0.2, 0.3, 29.33, 1e9]))


@st.composite
def raw_events(draw: st.DrawFn) -> Raw:
    what = draw(st.sampled_from(list(KINDS)))
    topic = {"search": "searches", "review": "reviews"}.get(what, "clicks")
    common = {
        "topic": topic,
        "event_id": str(draw(st.integers(0, 30))),
        "what": what,
        "timestamp": BASE - draw(AGES),
        "category": draw(st.sampled_from([None, "jazz", "rock"])),
    }
    if topic == "clicks":
        price = draw(PRICES)
        quantity = 1 if price == 1e9 else draw(st.integers(1, 3))
        order = draw(st.sampled_from([None, "a", "b", "c"])) if what == "purchase" else None
        title = VECTORS[draw(st.integers(0, 9))] if draw(st.booleans()) else None
        return Raw(**common, price=price, quantity=quantity, order_id=order, title=title)
    weighted = draw(st.booleans())
    vector = VECTORS[draw(st.integers(0, 9))] if weighted else None
    weight = 0.0 if vector is None else 1.0 if topic == "reviews" else 0.5
    if topic == "searches":
        return Raw(**common, weight=weight, vector=vector)
    return Raw(
        **common,
        rating=draw(st.floats(1, 5)),
        noisy=not weighted and draw(st.booleans()),
        weight=weight,
        vector=vector,
    )


def fold(events: list[Raw], through_bytes: bool = False) -> UserState:
    state = UserState()
    for offset, event in enumerate(events):
        state.apply(observe(event, offset), ENCODER)
        if through_bytes:
            state = codec.decode(codec.encode(state))
    return state


def assert_equal(state: UserState, expected: dict[str, object], as_of: int | None) -> None:
    instant = state.instant(as_of)
    assert instant == expected["event_time"]
    assert state.revision == expected["revision"]
    served = dict(zip(NAMES, row.scalars(state, instant), strict=True))
    assert served == {name: expected[name] for name in NAMES}
    np.testing.assert_allclose(row.profile(state, ENCODER), expected["profile_vector"], atol=1e-5)
    np.testing.assert_allclose(row.taste(state, ENCODER), expected["taste_vector"], atol=1e-5)


@given(st.lists(raw_events(), min_size=1, max_size=60), st.integers(0, 2**32), st.data())
@settings(max_examples=150, deadline=None)
def test_any_order_duplication_and_lateness_gives_the_features_of_the_definitions(events, seed, data):
    # The first arrival of an id is the one that counts, so a shuffle keeps one event per id and topic.
    distinct = reference.unique(events)
    shuffled = list(distinct)
    random.Random(seed).shuffle(shuffled)
    again = shuffled + data.draw(st.lists(st.sampled_from(shuffled), max_size=5))
    as_of = data.draw(st.one_of(st.none(), st.integers(BASE - 50 * DAY, BASE + 100 * DAY)))
    expected = reference.features(distinct, as_of)
    assert_equal(fold(again, through_bytes=data.draw(st.booleans())), expected, as_of)


@given(st.lists(raw_events(), min_size=2, max_size=40), st.lists(st.integers(0, 3 * DAY), max_size=40))
@settings(max_examples=60, deadline=None)
def test_features_read_while_time_moves_on_equal_those_computed_at_once(events, steps):
    events = reference.unique(events)
    state, applied, clock = UserState(), [], BASE - 45 * DAY
    for offset, event in enumerate(events):
        state.apply(observe(event, offset), ENCODER)
        applied.append(event)
        clock += steps[offset] if offset < len(steps) else 0
        assert_equal(state, reference.features(applied, clock), clock)
    # A clock that steps back is answered exactly too.
    assert_equal(state, reference.features(applied, clock - 2 * DAY), clock - 2 * DAY)


def click(event_id: str, offset: int, timestamp: int = BASE) -> Observation:
    return observe(Raw("clicks", event_id, "view", timestamp), offset)


def test_a_repeated_id_is_a_duplicate_only_within_its_topic():
    state = UserState()
    assert state.apply(click("a", 0), ENCODER) is Outcome.APPLIED
    assert state.apply(click("a", 1), ENCODER) is Outcome.DUPLICATE
    assert state.apply(observe(Raw("searches", "a", "search", BASE), 0), ENCODER) is Outcome.APPLIED
    assert state.revision == 2


def test_the_last_128_ids_applied_are_remembered_first_in_first_out():
    state = UserState()
    for number in range(REMEMBERED_IDS + 1):
        state.apply(click(str(number), number), ENCODER)
    offset = REMEMBERED_IDS + 1
    assert state.apply(click("1", offset), ENCODER) is Outcome.DUPLICATE
    assert state.apply(click("0", offset + 1), ENCODER) is Outcome.APPLIED
    assert state.apply(click("1", offset + 2), ENCODER) is Outcome.APPLIED, "its place was taken by 0"


def test_a_duplicate_does_not_refresh_its_place_among_the_remembered():
    state = UserState()
    for number in range(REMEMBERED_IDS):
        state.apply(click(str(number), number), ENCODER)
    state.apply(click("0", 500), ENCODER)
    state.apply(click("new", 501), ENCODER)
    assert state.apply(click("0", 502), ENCODER) is Outcome.APPLIED


def test_a_redelivered_record_changes_nothing():
    state = fold([Raw("clicks", "a", "view", BASE), Raw("clicks", "b", "view", BASE)])
    before = codec.encode(state)
    assert state.apply(click("a", 0), ENCODER) is Outcome.REDELIVERED
    assert state.apply(click("other id, same record", 1), ENCODER) is Outcome.REDELIVERED
    assert codec.encode(state) == before


def test_an_event_older_than_every_window_still_counts_in_the_lifetime_features():
    old = BASE - 400 * DAY
    state = fold([Raw("clicks", "a", "view", BASE), Raw("clicks", "b", "purchase", old, price=7.5)])
    served = dict(zip(NAMES, row.scalars(state, BASE), strict=True))
    assert (served["lifetime_purchases"], served["lifetime_spend"], served["purchases_30d"]) == (1, 7.5, 0)
    assert served["tenure_days"] == 400.0


def test_erasure_forgets_all_and_refuses_what_is_not_newer():
    state = fold([Raw("clicks", "a", "purchase", BASE, price=3.0), Raw("searches", "b", "search", BASE)])
    sequence = state.sequence
    assert state.erase(BASE, 0, Source.ERASURES) is Outcome.APPLIED
    assert (state.revision, state.newest, state.lifetime_spend) == (0, None, 0)
    assert state.sequence == sequence + 1, "an erasure outranks what it erased"
    assert state.apply(click("c", 2, BASE), ENCODER) is Outcome.REFUSED
    assert state.apply(click("a", 0, BASE + 1), ENCODER) is Outcome.REDELIVERED
    assert state.apply(click("d", 3, BASE + 1), ENCODER) is Outcome.APPLIED
    assert state.revision == 1
    assert state.erase(BASE, 0, Source.ERASURES) is Outcome.REDELIVERED


def test_each_erasure_begins_another_life_and_a_redelivered_one_none():
    state = fold([Raw("clicks", "a", "view", BASE)])
    lives = [state.life]
    for offset, timestamp in ((3, BASE), (4, BASE), (4, BASE), (3, BASE), (9, BASE - DAY)):
        state.erase(timestamp, offset, Source.ERASURES)
        lives.append(state.life)
    assert lives == [0, 1, 2, 2, 2, 3]
    state.apply(click("b", 2, BASE + 1), ENCODER)
    assert codec.decode(codec.encode(state)).life == 3


def test_vectors_of_two_encoders_are_never_mixed():
    one = tuple(np.eye(64)[0])
    two = tuple(np.eye(64)[1])
    state = UserState()
    state.apply(observe(Raw("reviews", "a", "review", BASE, rating=5, weight=1.0, vector=one), 0), "old@1")
    assert not row.profile(state, "new@2").any()
    state.apply(observe(Raw("reviews", "b", "review", BASE, rating=5, weight=1.0, vector=two), 1), "new@2")
    np.testing.assert_array_equal(row.profile(state, "new@2"), np.eye(64, dtype=np.float32)[1])
    assert not row.profile(state, "old@1").any()


def test_categories_are_counted_over_thirty_days():
    events = [Raw("clicks", str(n), "view", BASE - n * 10 * DAY, category="jazz") for n in range(6)]
    state = fold(events)
    assert state.categories.counts(BASE) == {category_key("jazz"): 4}
    assert state.categories.counts(BASE + 30 * DAY) == {category_key("jazz"): 1}


def test_what_was_taken_out_of_the_cart_counts_as_an_event_and_as_no_interest():
    before = [Raw("clicks", "a", "cart", BASE, category="jazz"), Raw("clicks", "b", "purchase", BASE - HOUR, price=2.0)]
    state = fold(before)
    removed = observe(Raw("clicks", "c", "remove", BASE + DAY, price=5.0, category="jazz"), 2)
    assert state.apply(removed, ENCODER) is Outcome.APPLIED
    assert (state.revision, state.newest, state.last_purchase) == (3, BASE + DAY, BASE - HOUR)
    assert (state.lifetime_purchases, state.lifetime_spend) == (1, 2_000_000)
    assert state.categories.counts(BASE + DAY) == {category_key("jazz"): 1}


def test_sums_past_64_bits_survive_the_codec():
    spend = [Raw("clicks", str(n), "purchase", BASE, price=1e9) for n in range(3)]
    state = fold(spend)
    state.lifetime_spend = 10**30
    spend = DAYS.place("spend")
    state.by_day.flat[spend] = 10**25
    restored = codec.decode(codec.encode(state))
    assert restored.lifetime_spend == 10**30
    assert restored.by_day.column(spend) == [10**25]


@pytest.mark.parametrize("damaged", [b"", b"\x01" * 9, b"\x09" + b"\0" * 40, b"\x01" + b"\0" * 40])
def test_damaged_or_foreign_state_is_refused_with_one_line(damaged):
    with pytest.raises(StateFormatError, match="expected"):
        codec.decode(damaged)


def test_encoded_states_are_ordered_by_epoch_then_sequence():
    state = fold([Raw("clicks", "a", "view", BASE)])
    state.epoch = 7
    assert codec.order(codec.encode(state)) == (7, 1)
