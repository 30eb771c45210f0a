"""Records that are accepted: what of them is in the event."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace
from typing import Any

import pytest
from support.raw_records import DAY, EARLIEST, MIB, NOW, Literal, Outcome, decode, reason, record

from streams.records.decoder import Decoder
from streams.records.events import Action, Click, Erasure, Review, Search
from streams.records.rejection import Rejection


def test_a_review_with_everything_comes_through_whole() -> None:
    optional = {"category": "home", "price": 19.99, "locale": "en-GB", "currency": "USD"}
    assert decode("reviews", record("reviews", **optional)) == Review(
        "r-1", "u1", "i1", "Sturdy, well made", 4.5, NOW, "home", 19.99, "en-GB", "USD"
    )


def test_a_search_with_everything_comes_through_whole() -> None:
    assert decode("searches", record("searches", category="home", results=12)) == Search(
        "s-1", "u1", "espresso machine", NOW, "home", 12.0
    )


def test_a_click_with_everything_comes_through_whole() -> None:
    optional = {"category": "home", "price": 5, "quantity": 3, "currency": "USD", "session_id": "x"}
    optional |= {"title": "a <b>lamp</b> 💡", "order_id": "o-1"}
    assert decode("clicks", record("clicks", action="purchase", **optional)) == Click(
        "c-1", "u1", "i1", Action.PURCHASE, NOW, "home", 5.0, 3, "USD", "x", "a <b>lamp</b> 💡", "o-1"
    )


@pytest.mark.parametrize(
    ("title", "kept"),
    [
        ("", ""),
        ("a" * 1024, "a" * 1024),
        ("a" * 1025, "a" * 1024),
        ("é" * 513, "é" * 512),
        ("a" + "é" * 600, "a" + "é" * 511),
        ("鍵" * 342, "鍵" * 341),
        ("💡" * 257, "💡" * 256),
        ("a" * 1_000_000, "a" * 1024),
    ],
)
def test_a_long_title_is_cut_at_a_character_by_both_ways(title: str, kept: str) -> None:
    for more in ({}, {"unknown": {}}):
        value = record("clicks", title=title, order_id="o", **more)
        together = Decoder().decode_all("clicks", [SimpleNamespace(key=b"u1", value=value, timestamp=NOW)])
        for click in (decode("clicks", value), *together):
            assert isinstance(click, Click)
            assert click.title == kept


def test_the_id_of_an_order_is_an_id_on_a_refund_too() -> None:
    refund = decode("clicks", record("clicks", action="refund", order_id="o", price=2))
    assert isinstance(refund, Click)
    assert (refund.action, refund.order_id, refund.price) == (Action.REFUND, "o", 2.0)


def test_an_erasure_comes_through_whole() -> None:
    assert decode("erasures", record("erasures")) == Erasure("u1", NOW)


@pytest.mark.parametrize(
    ("topic", "event"),
    [
        ("reviews", Review("r-1", "u1", "i1", "Sturdy, well made", 4.5, NOW)),
        ("searches", Search("s-1", "u1", "espresso machine", NOW)),
        ("clicks", Click("c-1", "u1", "i1", Action.VIEW, NOW, None, None, 1)),
    ],
)
def test_null_in_an_optional_field_is_absence(topic: str, event: Outcome) -> None:
    optional = ["category", "price", "locale", "currency", "results", "quantity", "session_id", "title", "order_id"]
    assert decode(topic, record(topic, **dict.fromkeys(optional))) == event
    assert decode(topic, record(topic)) == event


@pytest.mark.parametrize("action", list(Action))
def test_every_action_is_known(action: Action) -> None:
    click = decode("clicks", record("clicks", action=action.value))
    assert isinstance(click, Click)
    assert click.action is action


EDGES: list[tuple[str, dict[str, Any]]] = [
    ("reviews", {"rating": 1}),
    ("reviews", {"rating": 5}),
    ("reviews", {"rating": 5.0}),
    ("reviews", {"text": ""}),
    ("reviews", {"text": "a" * 32_768}),
    ("reviews", {"text": "é" * 16_384}),
    ("reviews", {"text": "😀" * 8_192}),
    ("reviews", {"text": Literal('"' + "\\ud83d\\ude00" * 8_192 + '"')}),
    ("reviews", {"price": 0}),
    ("reviews", {"price": 1_000_000_000}),
    ("reviews", {"quantity": "not a field of reviews"}),
    ("reviews", {"locale": "", "category": ""}),
    ("reviews", {"category": "a" * 100_000}),
    ("searches", {"query": ""}),
    ("searches", {"query": "é" * 16_384}),
    ("searches", {"results": 0}),
    ("searches", {"results": 2.5}),
    ("searches", {"results": 10**30}),
    ("searches", {"price": -1, "currency": "not a field of searches"}),
    ("clicks", {"price": 0.0}),
    ("clicks", {"price": Literal("1e9")}),
    ("clicks", {"price": 1000, "quantity": 1_000_000}),
    ("clicks", {"quantity": 1}),
    ("clicks", {"event_id": "a" * 256}),
    ("clicks", {"event_id": "é" * 128}),
    ("clicks", {"item_id": "😀" * 64}),
    ("clicks", {"session_id": "統" * 85 + "a"}),
    ("clicks", {"order_id": "統" * 85 + "a"}),
    ("clicks", {"item_id": "\0"}),
    ("clicks", {"timestamp": EARLIEST}),
    ("clicks", {"timestamp": "1990-01-01T00:00:00Z"}),
    ("clicks", {"timestamp": NOW + DAY}),
    ("clicks", {"timestamp": "2025-11-24T17:00:00.123456789+01:00"}),
    ("clicks", {"unknown": Literal("1e999")}),
    ("clicks", {"unknown": Literal("-1e999"), "price": 2}),
    ("clicks", {"unknown": Literal("1" * 5_000)}),
    ("clicks", {"unknown": Literal("[" * 63 + "]" * 63)}),
    ("clicks", {"unknown": Literal(r'"\ud83d\ude00"')}),
    ("clicks", {"unknown": {"user_id": 5, "timestamp": None}}),
    ("clicks", {"text": "a" * 40_000}),
    ("erasures", {"event_id": 5, "unknown": True}),
]


@pytest.mark.parametrize(("topic", "changes"), EDGES)
def test_accepts_the_edge_of_each_limit(topic: str, changes: dict[str, Any]) -> None:
    assert not isinstance(decode(topic, record(topic, **changes)), Rejection)


def test_a_record_of_exactly_one_mebibyte_is_read() -> None:
    short = len(record("clicks", unknown=""))
    value = record("clicks", unknown="a" * (MIB - short))
    assert len(value) == MIB
    assert isinstance(decode("clicks", value), Click)
    assert reason(decode("clicks", value + b" ")) == "too_large"


def test_of_a_repeated_field_the_last_counts() -> None:
    value = record("clicks")[:-1]
    assert decode("clicks", value + b',"action":"cart"}') == Click("c-1", "u1", "i1", Action.CART, NOW)
    assert reason(decode("clicks", value + b',"action":null}')) == "invalid"
    assert reason(decode("clicks", value + b',"user_id":"u2"}')) == "key_mismatch"


def test_negative_zero_is_zero() -> None:
    for literal in ("-0.0", "-0", "-0e5", "-1e-400"):
        click = decode("clicks", record("clicks", price=Literal(literal)))
        assert isinstance(click, Click)
        assert click.price is not None
        assert math.copysign(1.0, click.price) == 1.0


def test_the_timestamp_is_always_integer_milliseconds() -> None:
    for form in (NOW, "2025-11-24T16:00:00Z", "2025-11-25 00:00:00.0009+08:00"):
        click = decode("clicks", record("clicks", timestamp=form))
        assert isinstance(click, Click)
        assert (type(click.timestamp), click.timestamp) == (int, NOW)


def test_escapes_of_a_user_id_are_undone_before_the_key_is_compared() -> None:
    user = "ü😀"
    value = record("clicks", user_id=Literal(json.dumps(user)))
    click = decode("clicks", value, key=user.encode())
    assert isinstance(click, Click)
    assert click.user_id == user


def test_a_late_event_is_accepted_however_late() -> None:
    assert isinstance(decode("clicks", record("clicks", timestamp=EARLIEST), at=NOW * 2), Click)
