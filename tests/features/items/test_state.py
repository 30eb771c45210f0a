"""The state of an item against the contract by brute force, whatever the order and however often facts come."""

from __future__ import annotations

import random
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import item_reference
from support.item_reference import Said
from support.items import BASE, ENCODER, HEAD, TITLES, apply_all, fact, placed, said
from support.reference import DAY, HOUR

from features.exceptions import StateFormatError
from features.items import codec, row
from features.items.catalogue import INDEX, NAMES
from features.items.state import FORECAST_BYTES, ItemState
from features.outcome import Outcome

EVENTS = st.lists(said(), min_size=1, max_size=40)
AS_OF = st.one_of(st.none(), st.integers(BASE - DAY, BASE + 35 * DAY))
ABOUT = ("polarity_30d", "rating_text_gap_30d")


def assert_equal(state: ItemState, events: list[Said], as_of: int | None = None) -> None:
    """Check what is served of a state against the contract."""
    wanted = item_reference.fields(events, as_of)
    instant = state.instant(as_of)
    assert (instant, state.revision) == (wanted["event_time"], wanted["revision"])
    served = dict(zip(NAMES, row.scalars(state, instant, HEAD), strict=True))
    for name in ABOUT:
        assert served[name] == pytest.approx(wanted[name], abs=1e-6), name
    assert {name: served[name] for name in NAMES if name not in ABOUT} == {
        name: wanted[name] for name in NAMES if name not in ABOUT
    }
    assert (state.title, state.category, state.price) == (wanted["title"], wanted["category"], wanted["price"])
    np.testing.assert_allclose(row.title_vector(state, ENCODER), wanted["title_vector"], atol=1e-6)


@settings(max_examples=80, deadline=None)
@given(EVENTS, AS_OF, st.lists(st.integers(0, 7), min_size=1, max_size=4, unique=True))
def test_a_state_serves_what_the_contract_says(events, as_of, partitions):
    assert_equal(apply_all(ItemState(), placed(events, partitions)), events, as_of)


@settings(max_examples=60, deadline=None)
@given(EVENTS, AS_OF, st.randoms(use_true_random=False))
def test_any_order_between_partitions_with_repeats_and_bytes_between_gives_the_same(events, as_of, draw: random.Random):
    logs: dict[tuple[int, int], list] = {}
    for partition, one in placed(events, [0, 1, 2]):
        logs.setdefault((one.topic, partition), []).append((partition, one))
    state, reached = ItemState(), dict.fromkeys(logs, 0)
    while any(reached[log] < len(logs[log]) for log in logs):
        log = draw.choice([log for log in logs if reached[log] < len(logs[log])])
        # A sender that was killed begins again at some place before, never beyond.
        again = draw.randint(max(0, reached[log] - 3), reached[log])
        end = draw.randint(reached[log] + 1, len(logs[log]))
        apply_all(state, logs[log][again:end])
        reached[log] = end
        if draw.random() < 0.3:
            state = codec.decode(codec.encode(state))
    assert_equal(state, events, as_of)
    before = codec.encode(state)
    for log in logs.values():
        apply_all(state, log)
    assert codec.encode(state) == before, "every fact is a repetition"


@settings(max_examples=40, deadline=None)
@given(EVENTS, st.lists(st.integers(BASE, BASE + 40 * DAY), max_size=5))
def test_asking_as_of_any_instant_changes_nothing(events, instants):
    state = apply_all(ItemState(), placed(events, [0]))
    for as_of in [*instants, None]:
        assert_equal(state, events, as_of)


def test_one_view_says_what_it_can_and_leaves_the_rest_null():
    view = Said("view", BASE, price=2.5, title="Zebra mug", vector=TITLES["Zebra mug"])
    state = apply_all(ItemState(), placed([view], [3]))
    served = dict(zip(NAMES, row.scalars(state, BASE, HEAD), strict=True))
    assert (served["views_1h"], served["conversion_7d"], served["tenure_days"]) == (1, 0.0, 0.0)
    nulls = {name for name, value in served.items() if value is None}
    assert nulls == {"mean_paid_30d", "mean_rating_30d", "polarity_30d", "rating_text_gap_30d", "noisy_share_30d"}
    assert (state.title, state.category, state.price) == ("Zebra mug", None, 2.5)


def test_a_late_fact_counts_where_its_time_is_and_moves_only_the_beginning():
    late = [Said("purchase", BASE - 40 * DAY, price=1.0), Said("purchase", BASE - 2 * DAY, price=2.0, quantity=3)]
    events = [Said("view", BASE), *late]
    state = apply_all(ItemState(), placed(events, [0]))
    assert_equal(state, events)
    served = dict(zip(NAMES, row.scalars(state, BASE, HEAD), strict=True))
    assert (served["purchases_24h"], served["units_7d"], served["lifetime_purchases"]) == (0, 3, 2)
    assert served["tenure_days"] == 40.0


# The titles are in the order of their UTF-8 bytes, which that of UTF-16 is not.
@pytest.mark.parametrize(
    "values", [["Zebra mug", "ebony mug"], ["Émaillé", "杯子"], ["杯子", "😀 mug"], ["", "Zebra mug"]]
)
@pytest.mark.parametrize("reverse", [False, True])
def test_of_two_titles_of_one_time_the_greater_in_bytes_stays(values, reverse):
    events = [Said("view", BASE, title=title, vector=TITLES[title]) for title in values]
    state = apply_all(ItemState(), placed(events[::-1] if reverse else events, [0]))
    assert state.title == values[-1]


def test_a_newer_title_stays_though_it_is_the_smaller_and_an_empty_one_is_a_title():
    events = [Said("view", BASE, title=""), Said("view", BASE - 1, title="Zebra mug"), Said("view", BASE + 1)]
    state = apply_all(ItemState(), placed(events, [0]))
    assert state.title == ""
    assert not state.title_waits(ENCODER)
    assert not row.title_vector(state, ENCODER).any()


def test_a_price_of_minus_zero_is_zero_in_either_order():
    for prices in ([0.0, -0.0], [-0.0, 0.0]):
        state = apply_all(ItemState(), placed([Said("view", BASE, price=price) for price in prices], [0]))
        assert str(state.price) == "0.0"


def test_places_are_told_apart_by_topic_and_partition():
    state = ItemState()
    review = Said("review", BASE, rating=4.0)
    assert state.apply(fact(review, 5), 1, HEAD, 0) is Outcome.APPLIED
    assert state.apply(fact(review, 5), 1, HEAD, 1) is Outcome.REDELIVERED
    assert state.apply(fact(review, 4), 1, HEAD, 2) is Outcome.REDELIVERED
    assert state.apply(fact(Said("view", BASE), 5), 1, HEAD, 3) is Outcome.APPLIED
    assert state.apply(fact(review, 5), 2, HEAD, 4) is Outcome.APPLIED
    assert state.apply(fact(review, 0), 0, HEAD, 5) is Outcome.APPLIED
    assert (state.revision, state.offsets) == (4, [5])


# A change of the polarity head

REVIEWS = [Said("review", BASE - age * DAY, rating=5.0, polarity=polarity) for age, polarity in ((2, 0.5), (1, -0.25))]


def polarity_of(state: ItemState, head: str) -> object:
    return row.scalars(state, state.instant(None), head)[INDEX["polarity_30d"]]


def test_the_first_polarity_of_another_head_begins_the_columns_anew():
    state = apply_all(ItemState(), placed(REVIEWS, [0]))
    assert polarity_of(state, HEAD) == pytest.approx(0.25 / 7)
    other = fact(replace(REVIEWS[1], polarity=0.75), 2)
    assert state.apply(other, 0, "another@1", 2) is Outcome.APPLIED
    served = dict(zip(NAMES, row.scalars(state, state.instant(None), "another@1"), strict=True))
    assert served["polarity_30d"] == pytest.approx(0.75 / 6)
    assert served["rating_text_gap_30d"] == pytest.approx(1 - 0.75)
    assert (served["reviews_30d"], served["mean_rating_30d"]) == (3, 5.0), "all else stays"


def test_a_fact_without_a_polarity_leaves_the_columns_of_another_head_alone():
    state = apply_all(ItemState(), placed(REVIEWS, [0]))
    state.apply(fact(Said("review", BASE, rating=1.0, noisy=True), 2), 0, "another@1", 2)
    state.apply(fact(Said("view", BASE), 3), 0, "another@1", 3)
    assert polarity_of(state, HEAD) == pytest.approx(0.25 / 7)


def test_what_another_head_judged_is_served_as_null():
    state = apply_all(ItemState(), placed(REVIEWS, [0]))
    served = dict(zip(NAMES, row.scalars(state, state.instant(None), ""), strict=True))
    assert (served["polarity_30d"], served["rating_text_gap_30d"], served["reviews_30d"]) == (None, None, 2)


# Titles

MUG = Said("view", BASE, title="Zebra mug", vector=TITLES["Zebra mug"])


def test_a_title_waits_until_it_is_read_and_the_counts_do_not():
    state = ItemState()
    state.apply(fact(MUG, 0), 0, HEAD, 0)
    assert state.title_waits(ENCODER)
    assert not row.title_vector(state, ENCODER).any()
    sequence = state.sequence
    assert not state.read_title("another title", np.ones(64), ENCODER)
    assert state.read_title("Zebra mug", np.ones(64), ENCODER)
    assert (state.title_waits(ENCODER), state.sequence, state.revision) == (False, sequence + 1, 1)
    np.testing.assert_allclose(row.title_vector(state, ENCODER), np.full(64, 1 / 8))
    assert not state.read_title("Zebra mug", np.zeros(64), ENCODER), "it is read once"


def test_a_title_that_says_nothing_is_read_and_has_no_vector():
    state = ItemState()
    state.apply(fact(MUG, 0), 0, HEAD, 0)
    assert state.read_title("Zebra mug", None, ENCODER)
    assert not state.title_waits(ENCODER)
    assert not row.title_vector(codec.decode(codec.encode(state)), ENCODER).any()


def test_after_a_change_of_encoder_a_title_is_served_as_zeros_until_it_is_read_again():
    state = apply_all(ItemState(), placed([MUG], [0]))
    assert row.title_vector(state, ENCODER).any()
    assert not row.title_vector(state, "another@1").any()
    assert state.title_waits("another@1")
    assert state.read_title("Zebra mug", np.ones(64), "another@1")
    assert not row.title_vector(state, ENCODER).any()


def test_the_same_title_in_a_newer_click_is_not_read_again():
    state = ItemState()
    state.apply(fact(MUG, 0), 0, HEAD, 0)
    state.read_title("Zebra mug", np.ones(64), ENCODER)
    state.apply(fact(replace(MUG, timestamp=BASE + HOUR), 1), 0, HEAD, 1)
    assert not state.title_waits(ENCODER)
    state.apply(fact(Said("view", BASE + 1, title="ebony mug"), 2), 0, HEAD, 2)
    assert state.title == "Zebra mug", "the newer click named it again"


# Forgetting and forecasts


def test_a_forgotten_item_counts_from_zero_and_still_knows_what_it_had_applied():
    facts = placed([MUG, *REVIEWS], [0, 1])
    state = apply_all(ItemState(), facts)
    sequence = state.sequence
    assert state.forget(10) is Outcome.APPLIED
    assert (state.revision, state.newest, state.title, state.life, state.sequence) == (0, None, None, 0, sequence + 1)
    assert state.forget(10) is state.forget(9) is Outcome.REDELIVERED
    assert [state.apply(one, partition, HEAD, 11) for partition, one in facts] == [Outcome.REDELIVERED] * 3
    assert state.apply(fact(Said("view", BASE), 9), 0, HEAD, 12) is Outcome.APPLIED
    assert state.revision == 1
    with pytest.raises(ValueError, match="expected an item with an applied fact"):
        ItemState().instant(None)


def test_the_newest_forecast_is_kept_and_comes_back_from_bytes():
    state = apply_all(ItemState(), placed([MUG], [0]))
    first, second = {"units_7d": 3.5}, {"units_7d": 4.0, "method": "croston"}
    assert state.take_forecast(1_000, first, 10) is Outcome.APPLIED
    assert state.take_forecast(2_000, second, 12) is Outcome.APPLIED
    assert state.take_forecast(2_000, first, 12) is Outcome.REDELIVERED
    assert state.take_forecast(1_500, first, 13) is Outcome.REFUSED
    again = codec.decode(codec.encode(state))
    assert (msgspec.msgpack.decode(again.forecast), again.forecast_at, again.offsets) == (second, 2_000, [12])
    assert again.revision == 1, "a forecast is no fact"


def test_a_forecast_of_an_unknown_item_or_of_too_many_bytes_changes_nothing():
    state = ItemState()
    assert state.take_forecast(1_000, {"units_7d": 1.0}, 0) is Outcome.REFUSED
    assert (state.sequence, state.offsets) == (0, [-1])
    state = apply_all(ItemState(), placed([MUG], [0]))
    before = codec.encode(state)
    assert state.take_forecast(1_000, {"note": "x" * FORECAST_BYTES}, 5) is Outcome.REFUSED
    assert codec.encode(state) == before


def test_bytes_with_a_title_that_is_no_text_are_damaged():
    damaged = codec.encode(apply_all(ItemState(), placed([MUG], [0]))).replace(b"Zebra", b"Ze\xffra")
    for step in (codec.decode, lambda data: codec.title_waits(data, ENCODER)):
        with pytest.raises(StateFormatError, match="damaged bytes"):
            step(damaged)
