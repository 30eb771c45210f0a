"""Messages of the facts topic: what is written is read, and nothing else is taken for one."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.items.fact import Fact
from features.observation import Kind, Source
from streams.exceptions import StateMismatchError, StreamsError
from streams.records.items.facts import (
    VERSION,
    FactBatch,
    Forecast,
    Forget,
    Message,
    NewerFactsError,
    Remainder,
    decode,
    encode,
)
from streams.records.rejection import Reason, Rejection
from streams.records.withheld import Why, Withheld

BASE = 1_764_000_000_000
CLICKS = [kind for kind in Kind if kind not in (Kind.SEARCH, Kind.REVIEW)]

ids = st.text(st.characters(codec="utf-8"), min_size=1, max_size=64)
clicks = st.builds(
    Fact,
    st.just(int(Source.CLICKS)),
    st.integers(0, 2**62),
    ids,
    st.integers(-(2**60), BASE),
    st.sampled_from(CLICKS).map(int),
    amount=st.none() | st.integers(0, 10**15),
    units=st.integers(0, 10**6),
    price=st.none() | st.floats(0, 1e9),
    title=st.none() | st.text(st.characters(codec="utf-8"), max_size=40),
    category=st.none() | st.text(st.characters(codec="utf-8"), max_size=20),
)
reviews = st.builds(
    Fact,
    st.just(int(Source.REVIEWS)),
    st.integers(0, 2**62),
    ids,
    st.integers(0, BASE),
    st.just(int(Kind.REVIEW)),
    amount=st.integers(10**6, 5 * 10**6),
    noisy=st.booleans(),
    polarity=st.none() | st.integers(-(10**6), 10**6),
    signature=st.binary(max_size=17),
    new_reviewer=st.booleans(),
)
messages = (
    st.builds(FactBatch, st.integers(0, 1000), st.text(max_size=20), st.lists(clicks | reviews, min_size=1, max_size=5))
    | st.builds(Forecast, ids, st.integers(0, BASE), st.dictionaries(st.text(max_size=5), st.none() | st.floats(0, 1)))
    | st.builds(Forget, ids)
)


@given(messages)
def test_what_is_written_is_read(message: Message) -> None:
    assert decode(encode(message)) == message


@given(st.binary(max_size=200) | st.builds(lambda rest: bytes([VERSION]) + rest, st.binary(max_size=200)))
def test_other_bytes_are_malformed_or_of_a_newer_release_and_nothing_else_happens(value: bytes) -> None:
    try:
        found = decode(value)
    except NewerFactsError:
        assert value[0] > VERSION
    else:
        rejection = found.rejection if isinstance(found, Remainder) else found
        assert isinstance(rejection, FactBatch | Forecast | Forget) or rejection.reason is Reason.MALFORMED


@given(messages, st.data())
def test_bytes_that_were_cut_or_damaged_change_nothing_silently(message: Message, data: st.DataObject) -> None:
    value = encode(message)
    cut = value[: data.draw(st.integers(1, len(value) - 1))]
    found = decode(cut)
    assert isinstance(found, Rejection)
    assert found.reason is Reason.MALFORMED


def test_a_newer_release_is_told_of_in_one_line_and_not_passed_over() -> None:
    with pytest.raises(
        NewerFactsError, match=f"of version {VERSION} at most, found one of version {VERSION + 1}"
    ) as no:
        decode(bytes([VERSION + 1]) + b"whatever")
    assert isinstance(no.value, StreamsError)
    assert "upgrade the workers of the item stage" in str(no.value)
    assert "\n" not in str(no.value)


def test_messages_that_are_withheld_as_too_large_are_not_passed_over_and_those_that_are_broken_are_malformed() -> None:
    with pytest.raises(StateMismatchError, match="raise it, or its facts are lost"):
        decode(Withheld.because(Why.TOO_LARGE))
    found = decode(Withheld.because(Why.UNREADABLE))
    assert isinstance(found, Rejection)
    assert found.reason is Reason.MALFORMED


def fact(**changed: object) -> Fact:
    return msgspec.structs.replace(Fact(int(Source.CLICKS), 5, "i", BASE, int(Kind.VIEW)), **changed)


IMPOSSIBLE: list[dict[str, object]] = [
    {"kind": int(Kind.SEARCH)},
    {"kind": 99},
    {"kind": int(Kind.REVIEW)},
    {"topic": int(Source.REVIEWS)},
    {"topic": 7},
    {"offset": -1},
    {"item_id": ""},
    {"item_id": "i" * 257},
    {"timestamp": 2**62},
    {"price": float("nan")},
    {"price": -1.0},
    {"units": -1},
    {"units": 1_000_001},
    {"offset": 2**63},
    {"amount": -1},
    {"amount": 10**15 + 1},
    {"polarity": 2_000_000},
]
UNREADABLE: list[dict[str, object]] = [
    {"kind": None},
    {"offset": "5"},
    {"item_id": 5},
    {"item_id": [[[[]]]]},
    {"amount": True},
    {"price": "much"},
    {"noisy": 0},
    {"signature": "text"},
]


@pytest.mark.parametrize("wrong", [*IMPOSSIBLE, *UNREADABLE])
def test_a_fact_that_no_event_can_give_is_refused_alone(wrong: dict[str, object]) -> None:
    found = decode(encode(FactBatch(3, "head", [fact(offset=4), fact(**wrong), fact(offset=6)])))
    assert isinstance(found, Remainder)
    assert found.batch == FactBatch(3, "head", [fact(offset=4), fact(offset=6)])
    assert (found.refused, found.rejection.reason) == (1, Reason.MALFORMED)
    assert "found 1 of 3 that are none, the others count: 2 (" in found.rejection.detail


@given(st.lists(clicks | reviews, min_size=1, max_size=8), st.data())
def test_whatever_is_refused_of_a_batch_the_rest_stays_in_its_order(facts: list[Fact], data: st.DataObject) -> None:
    spoilt = data.draw(st.sets(st.integers(0, len(facts) - 1), min_size=1))
    spoil = st.sampled_from([{"item_id": ""}, {"item_id": b"bytes"}, {"offset": -1}, {"topic": "clicks"}])
    sent = [
        msgspec.structs.replace(one, **data.draw(spoil)) if number in spoilt else one
        for number, one in enumerate(facts)
    ]
    found = decode(encode(FactBatch(0, "", sent)))
    assert isinstance(found, Remainder)
    assert found.batch.facts == [one for number, one in enumerate(facts) if number not in spoilt]
    assert found.refused == len(spoilt)


def test_a_rejection_tells_the_places_of_the_events_and_not_without_end() -> None:
    found = decode(encode(FactBatch(2, "", [fact(offset=9, units=-1), fact(topic=7), fact(kind="x"), fact()])))
    assert isinstance(found, Remainder)
    assert found.rejection.detail.endswith(
        "found 3 of 4 that are none, the others count: 1 (clicks/2/9), 2 (of no event), 3 (unreadable)"
    )
    found = decode(encode(FactBatch(2, "", [fact(units=-1)] * 5000)))
    assert isinstance(found, Remainder)
    assert found.batch.facts == []
    assert found.refused == 5000
    assert found.rejection.detail.endswith("8 (clicks/2/5) and 4992 more")
    assert len(found.rejection.detail) < 400


def test_text_that_is_no_utf8_costs_its_fact_or_what_cannot_be_split() -> None:
    spoilt = encode(FactBatch(0, "head", [fact(title="text"), fact(offset=6)])).replace(b"text", b"te\xffs")
    found = decode(spoilt)
    assert isinstance(found, Remainder)
    assert found.batch.facts == [fact(offset=6)]
    for message in (FactBatch(0, "text", [fact()]), Forget("text")):
        found = decode(encode(message).replace(b"text", b"te\xffs"))
        assert isinstance(found, Rejection)
        assert found.reason is Reason.MALFORMED


def test_a_batch_that_is_nested_without_end_is_refused_and_nothing_else_happens() -> None:
    found = decode(bytes([VERSION]) + b"\x94\x01\x00\xa0" + b"\x91" * 100_000)
    assert isinstance(found, Rejection)
    assert found.reason is Reason.MALFORMED


@pytest.mark.parametrize(
    "value", [msgspec.msgpack.Ext(5, b"x"), b"bytes", {None: 1}, {1: 1}, [[[[[[[[[1]]]]]]]]], datetime.now(UTC)]
)
def test_a_forecast_that_no_record_can_show_is_malformed(value: object) -> None:
    found = decode(encode(Forecast("i", BASE, {"mean": value})))
    assert isinstance(found, Rejection)
    assert found.reason is Reason.MALFORMED


@pytest.mark.parametrize(
    "message", [FactBatch(0, "", []), FactBatch(-1, "", [fact()]), Forget(""), Forecast("i", -1, {})]
)
def test_messages_that_say_nothing_are_malformed(message: Message) -> None:
    assert isinstance(decode(encode(message)), Rejection)
    assert isinstance(decode(None), Rejection)
