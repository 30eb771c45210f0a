"""Bytes of item states: recorded ones are read as they were written, and what is not known is refused."""

from __future__ import annotations

import base64
import struct

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.item_reference import Said
from support.items import BASE, ENCODER, HEAD, TITLES, apply_all, fact, placed, said

from features.exceptions import StateFormatError
from features.items import codec, row
from features.items.catalogue import NAMES
from features.items.columns import WIDTHS
from features.items.entity import ITEM
from features.items.state import NO_OFFSET, ItemState, place_key
from features.observation import Source
from features.outcome import Outcome

HEADER_BYTES = 17
FIELDS = 23
WIDTHS_FIELD, FORECAST_FIELD = 7, 20
VERSION_1 = """
AQAAAZq2l+QYAAAAAAAAAAjcABcGkQmEAgIWAwAEFAXPAAABmraZykDPAAABmeibakACzwADjX6oRZSgkwsLEJvOAFm4wAEAAAAA
AQAAAM4AAYag3AAszgAHecgAAAAAAAABAAAAzgAHeeAAAAAAAAABAAAAzgAHefgAAAAAAQAAAc8AA41+pMaAAADOAAd6EAEAAAAA
AQAAAM4AAYag3ABAzU+9AAAAAAAAAQAAAM4AD0JAAQAAAM1PvgAAAAAAAAEAAADOAESqIAABzgAHoSDOAAehIM1PvwAAAAABAAAB
zwADjX6kxoAAAAAAAAAAzU/AAQAAAAABAAAAzgABhqAAAAAAALVwb2xhcml0eUAwMTIzNDU2Nzg5YWKpWmVicmEgbXVnzwAAAZq2
mcZYsXRlc3RAMDEyMzQ1Njc4OWFixQEAQjFOPdgb9T2oJ0U9v2FCvn4LBz4ZKoU9sC+gvZpcrT2PhVk9a34vPS+qhzsMGaM9x7Pb
vWtmwrz204+9haayPemZvTt2fi69LUPpvRZ0Gb3sdJs6K3AkvYMGQT5NKhY+ljPKvnzijL4ejtC8QeZ7vZHw/jw2qgE9ZfOdPhrf
Jb4wTGG9KFqYPmTtwD3azsU9NleZvZ/Udb7W1cc8FhaCPBYTN76+0su9avArvNfrDL7ah2q8HuFjPCPcqTsHCpe9KyGxPa7tBD4M
bz89Gxn0vQ9F2j2Bl5W9NiMDPsXeH75qZwg+jYg/uyNEOr6rSTu9yR4BPLrCIj1fgRK+oC0lvqRtdWdzzwAAAZq2mcZYyz+5mZmZ
mZmazwAAAZq2mcpAxBOBqHVuaXRzXzdky0AMAAAAAAAAzwAAAZq2mcpAxDiAAAGapya2QDKAAAAAAAAAAAAAAAAAAAAAAAAAgAAB
mqxNEkDhQAAAAAAAAAAAAAAAAAAAAAAAAA==
"""
"""A view, two purchases, a refund and two reviews of two source partitions, with a title read and a forecast."""

RECORDED = base64.b64decode(VERSION_1)


def fields(data: bytes) -> list:
    return msgspec.msgpack.decode(data[HEADER_BYTES:], type=list)


def rewritten(body: list) -> bytes:
    return RECORDED[:HEADER_BYTES] + msgspec.msgpack.encode(body)


def test_a_recorded_state_is_read_as_it_was_written():
    state = codec.decode(RECORDED)
    served = dict(zip(NAMES, row.scalars(state, BASE, HEAD), strict=True))
    assert (state.epoch, state.sequence, state.revision, state.offsets) == (1_763_999_999_000, 8, 6, [9])
    assert (state.newest, served["tenure_days"], served["lifetime_revenue"]) == (BASE, 40.0, 1_000_000_058.66)
    assert (served["views_1h"], served["refunded_1h"], served["revenue_30d"], served["units_7d"]) == (1, 0.1, 1e9, 1)
    assert (served["mean_rating_30d"], served["noisy_share_30d"]) == (2.75, 0.5)
    assert served["polarity_30d"] == pytest.approx(0.5 / 6)
    assert served["rating_text_gap_30d"] == pytest.approx(0.25)
    assert (state.title, state.category, state.price) == ("Zebra mug", "mugs", 0.1)
    wanted = np.asarray(TITLES["Zebra mug"])
    np.testing.assert_allclose(row.title_vector(state, ENCODER), wanted / np.linalg.norm(wanted), atol=1e-6)
    assert msgspec.msgpack.decode(state.forecast) == {"units_7d": 3.5}
    clicks = place_key(Source.CLICKS, 0)
    assert state.places[clicks] == 2
    assert codec.encode(state) == RECORDED


@settings(max_examples=40, deadline=None)
@given(st.lists(said(), max_size=30), st.lists(st.integers(0, 9), min_size=1, max_size=4, unique=True))
def test_a_state_comes_back_from_its_bytes(events, partitions):
    state = apply_all(ItemState(), placed(events, partitions))
    data = codec.encode(state)
    again = codec.decode(data)
    assert codec.encode(again) == data
    assert ITEM.order(data) == (state.epoch, state.sequence)
    assert ITEM.offsets_and_erasure(data) == (state.offsets, None if events else 0)
    for encoder in (ENCODER, "another@1"):
        assert codec.title_waits(data, encoder) == state.title_waits(encoder)
    if events:
        instant = state.instant(None)
        assert row.scalars(again, instant, HEAD) == row.scalars(state, instant, HEAD)


def test_a_recovery_knows_an_item_that_is_forgotten_until_it_comes_back():
    state = apply_all(ItemState(), placed([Said("view", BASE)], [0]))
    state.forget(5)
    assert ITEM.offsets_and_erasure(codec.encode(state)) == ([5], 0)
    state.apply(fact(Said("view", BASE), 9), 0, HEAD, 6)
    assert ITEM.offsets_and_erasure(codec.encode(state)) == ([6], None)


def test_money_past_64_bits_comes_back():
    events = [Said("purchase", BASE, price=1e9)] * 10
    state = apply_all(ItemState(), placed(events, [0]))
    state.lifetime_revenue *= 10_000
    state.by_day.flat[9] *= 10_000
    again = codec.decode(codec.encode(state))
    assert (again.lifetime_revenue, again.by_day.flat) == (state.lifetime_revenue, state.by_day.flat)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            lambda: b"\x02" + RECORDED[1:],
            "version 1, found the state of an item of version 2: run the release",
        ),
        (lambda: rewritten([*fields(RECORDED), 0]), f"at most {FIELDS} fields, found {FIELDS + 1}: run the release"),
        (lambda: rewritten(fields(RECORDED)[:-1]), "damaged bytes"),
        (lambda: RECORDED[:-3], "damaged bytes"),
        (lambda: RECORDED[:9], "only 9 bytes"),
        (lambda: changed(WIDTHS_FIELD, [*WIDTHS[:2], WIDTHS[2] + 1]), "run the release that wrote them"),
        (lambda: changed(WIDTHS_FIELD, [*WIDTHS[:2], WIDTHS[2] - 1]), "damaged ones: one is cut off"),
        (lambda: changed(WIDTHS_FIELD + 8, b"\x00" * 255), "a vector of 255 bytes"),
        (lambda: changed(FIELDS - 1, b"\x00" * 7), "run the release that wrote them"),
    ],
    ids=["version", "field", "too few", "cut", "header", "column", "width", "vector", "reviews"],
)
def test_what_is_not_known_is_refused_in_one_line(damage, said):
    with pytest.raises(StateFormatError, match=said) as refused:
        codec.decode(damage())
    assert "\n" not in str(refused.value)


def changed(place: int, value: object) -> bytes:
    body = fields(RECORDED)
    body[place] = value
    return rewritten(body)


# Other topics


@settings(max_examples=40, deadline=None)
@given(st.lists(said(), max_size=10), st.integers(0, 2**53), st.integers(0, 2**53))
def test_a_moved_state_differs_in_its_places_its_offset_and_its_epoch_alone(events, before, least):
    state = apply_all(ItemState(), placed(events, [0, 1]))
    state.epoch = before
    data = codec.encode(state)
    moved = codec.moved(data, least)
    assert codec.substance(moved) == codec.substance(data)
    after = codec.decode(moved)
    assert (after.offsets, after.places, after.epoch) == ([NO_OFFSET], {}, max(before, least))
    after.offsets, after.places, after.epoch = state.offsets, state.places, state.epoch
    assert codec.encode(after) == data


def test_facts_of_the_other_topics_are_new():
    moved = codec.decode(codec.moved(RECORDED, 0))
    assert moved.apply(fact(Said("view", BASE), 0), 0, HEAD, 0) is Outcome.APPLIED
    assert moved.revision == 7


def test_substance_tells_states_apart():
    other = codec.decode(RECORDED)
    other.apply(fact(Said("view", BASE), 7), 0, HEAD, 10)
    assert codec.substance(codec.encode(other)) != codec.substance(RECORDED)


def test_the_header_is_that_of_every_state():
    assert struct.unpack_from(">BQQ", RECORDED) == (1, 1_763_999_999_000, 8)
