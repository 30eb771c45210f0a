"""The bytes of an item: flat in its history."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from support.item_reference import Said
from support.items import BASE, ENCODER, HEAD, apply_all, fact, placed, said
from support.reference import DAY, HOUR

from features.items import codec
from features.items.columns import LAYOUTS
from features.items.fact import Fact
from features.items.review_memory import ENTRY_BYTES, REMEMBERED_REVIEWS
from features.items.review_signature import SIGNATURE_BYTES
from features.items.state import FORECAST_BYTES, ItemState

LARGEST = 9
"""Bytes of an integer of 64 bits in MessagePack."""
TITLE_BYTES = 1024


def bound(state: ItemState) -> int:
    """What a state may cost, by what it keeps."""
    levels = (state.by_five_minutes, state.by_hour, state.by_day)
    tiles = sum(len(level.flat) for level in levels) * LARGEST
    places = len(state.places) * 2 * LARGEST
    words = len((state.title or "").encode()) + len((state.category or "").encode())
    names = len(state.head) + len(state.title_encoder)
    return 300 + tiles + places + words + names + len(state.forecast) + REMEMBERED_REVIEWS * ENTRY_BYTES + 256


@settings(max_examples=40, deadline=None)
@given(st.lists(said(), max_size=60), st.lists(st.integers(0, 63), min_size=1, max_size=5, unique=True))
def test_tiles_and_places_are_bounded_whatever_comes(events, partitions):
    state = apply_all(ItemState(), placed(events, partitions))
    for level, layout in zip((state.by_five_minutes, state.by_hour, state.by_day), LAYOUTS, strict=True):
        reach = layout.level.lengths[-1] // layout.level.hop
        assert len(level.indices) <= reach + 1
    assert len(state.places) <= 2 * len(partitions)
    assert len(codec.encode(state)) <= bound(state)


def busy(days: int) -> ItemState:
    """An item of 64 source partitions with all it can have, of which something is told every half an hour."""
    state, offset = ItemState(), 0
    for step in range(days * 48):
        when = BASE + step * 1_800_000
        review = fact(Said("review", when, rating=4.0, polarity=0.5), offset)
        told: list[Fact] = [
            fact(Said("view", when, price=2.5, title="x" * TITLE_BYTES, category="mugs"), offset),
            fact(Said("purchase", when, price=99.99, quantity=2), offset + 1),
            signed(review, step),
        ]
        for place, one in enumerate(told):
            state.apply(one, (step + place) % 64, HEAD, offset)
        offset += 3
    state.read_title("x" * TITLE_BYTES, None, ENCODER)
    state.take_forecast(0, {"note": "x" * (FORECAST_BYTES - 10)}, offset)
    return state


def signed(review: Fact, number: int) -> Fact:
    review.signature = number.to_bytes(SIGNATURE_BYTES, "big")
    return review


def test_an_item_of_eighty_days_costs_no_more_than_one_of_forty():
    shorter, longer = (len(codec.encode(busy(days))) for days in (40, 80))
    # Offsets and counts have more digits, and that is all.
    assert longer < 1.04 * shorter


def test_a_first_click_costs_as_good_as_nothing():
    state = ItemState()
    state.apply(fact(replace(Said("view", BASE), price=2.5), 0), 0, HEAD, 0)
    assert len(codec.encode(state)) < 160
    state.apply(fact(Said("view", BASE + 40 * DAY + HOUR), 1), 0, HEAD, 1)
    assert len(codec.encode(state)) < 160, "the tiles of forty days ago are gone"
