from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.exceptions import ConfigurationError
from streams.records.decoder import Decoder
from streams.records.events import Action, Click, Erasure, Review, Search
from streams.records.rejection import Reason, Rejection

NOW = 1_764_000_000_000
DAY = 86_400_000
EARLIEST = 631_152_000_000
MIB = 1_048_576
DECODER = Decoder()

REVIEW = {
    "event_id": "r-1",
    "user_id": "u1",
    "item_id": "i1",
    "text": "Sturdy, well made",
    "rating": 4.5,
    "timestamp": NOW,
}
SEARCH = {"event_id": "s-1", "user_id": "u1", "query": "espresso machine", "timestamp": NOW}
CLICK = {"event_id": "c-1", "user_id": "u1", "item_id": "i1", "action": "view", "timestamp": NOW}
ERASURE = {"user_id": "u1", "timestamp": NOW}
BASES = {"reviews": REVIEW, "searches": SEARCH, "clicks": CLICK, "erasures": ERASURE}

Outcome = Review | Search | Click | Erasure | Rejection


class Literal(str):
    """JSON text to be put into a record as it is."""


def encode(fields: dict[str, Any]) -> bytes:
    members = (
        f"{json.dumps(name)}:{value if type(value) is Literal else json.dumps(value, ensure_ascii=False)}"
        for name, value in fields.items()
    )
    return ("{" + ",".join(members) + "}").encode()


def record(topic: str, **changes: Any) -> bytes:
    """A valid record with fields replaced; Ellipsis leaves a field out."""
    return encode({name: value for name, value in {**BASES[topic], **changes}.items() if value is not ...})


def decode(topic: str, value: bytes | None, key: bytes | None = b"u1", at: int = NOW) -> Outcome:
    return DECODER.decode(topic, key, value, at)


def reason(outcome: Outcome) -> str | None:
    return str(outcome.reason) if isinstance(outcome, Rejection) else None


# Events that are accepted.


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
    assert decode("clicks", record("clicks", action="purchase", **optional)) == Click(
        "c-1", "u1", "i1", Action.PURCHASE, NOW, "home", 5.0, 3, "USD", "x"
    )


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
    optional = ["category", "price", "locale", "currency", "results", "quantity", "session_id"]
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


# Hostile records, one rule at a time.

LONE = Literal(r'"\ud800"')
LONG_IDS = ["", "a" * 257, "é" * 129, "é" * 128 + "a", "😀" * 65, "統" * 86]
WRONG_STRINGS = [0, 1.5, True, False, [], {}, ["u1"], {"a": "u1"}]
WRONG_NUMBERS = ["1", "", True, False, [], {}, [1], Literal("1e999"), Literal("-1e999"), -1, -0.01]


def hostile_fields() -> list[tuple[str, str, Any]]:
    cases: list[tuple[str, str, Any]] = []
    for topic, base in BASES.items():
        for name in base:
            cases += [(topic, name, ...), (topic, name, None)]
        for name in base:
            if name.endswith("_id"):
                cases += [(topic, name, value) for value in [*WRONG_STRINGS, *LONG_IDS]]
        cases += [(topic, "timestamp", value) for value in WRONG_TIMESTAMPS]
    for topic, name in (("reviews", "text"), ("searches", "query"), ("clicks", "action")):
        cases += [(topic, name, value) for value in WRONG_STRINGS]
    for topic, names in OPTIONAL_STRINGS.items():
        cases += [(topic, name, value) for name in names for value in WRONG_STRINGS]
    cases += [("clicks", "session_id", value) for value in LONG_IDS]
    cases += [("clicks", "action", value) for value in ("", "View", "VIEW", "buy", "view ", "purchases")]
    for topic, name in NUMBERS:
        cases += [(topic, name, value) for value in WRONG_NUMBERS]
    cases += [("reviews", "rating", value) for value in (0, 0.999, 5.001, 6, 10**30, Literal("9" * 400))]
    for topic in ("reviews", "clicks"):
        beyond = [1_000_000_000.01, 1_000_000_001, 10**30, Literal("9" * 400), Literal("9" * 5_000)]
        cases += [(topic, "price", value) for value in beyond]
        cases += [(topic, "currency", value) for value in ("EUR", "usd", "", "USD ")]
    cases += [("searches", "results", Literal("9" * digits)) for digits in (310, 311, 5_000)]
    wrong_quantities = [0, 1_000_001, 1.0, 2.5, Literal("1e0"), Literal("1E2"), 10**30, Literal("9" * 5_000)]
    cases += [("clicks", "quantity", value) for value in wrong_quantities]
    return cases


OPTIONAL_STRINGS = {
    "reviews": ["category", "locale", "currency"],
    "searches": ["category"],
    "clicks": ["category", "currency", "session_id"],
}
NUMBERS = [
    ("reviews", "rating"),
    ("reviews", "price"),
    ("searches", "results"),
    ("clicks", "price"),
    ("clicks", "quantity"),
]
WRONG_TIMESTAMPS = [
    EARLIEST - 1,
    NOW // 1000,
    0,
    -1,
    -(10**30),
    Literal("-" + "9" * 5_000),
    float(NOW),
    Literal("1.764e12"),
    Literal("1e30"),
    Literal("1e300"),
    Literal("1e999"),
    Literal("-1e999"),
    Literal("1" * 30 + ".0"),
    True,
    False,
    [],
    {},
    [NOW],
    "",
    str(NOW),
    "2025-11-24",
    "2025-11-24T16:00:00",
    "2025-02-29T16:00:00Z",
    "1989-12-31T23:59:59.999Z",
    "1990-01-01T00:00:00+00:01",
]


@pytest.mark.parametrize(("topic", "name", "value"), hostile_fields())
def test_a_field_missing_ill_typed_or_out_of_range_is_invalid(topic: str, name: str, value: Any) -> None:
    outcome = decode(topic, record(topic, **{name: value}))
    assert isinstance(outcome, Rejection)
    assert outcome.reason is Reason.INVALID
    assert outcome.detail.startswith(f"{name}: expected ")


@pytest.mark.parametrize("value", [b"[]", b"[{}]", b'"u1"', b"5", b"1e999", b"true", b"null", b"[1e999]", b"9" * 5_000])
def test_a_value_that_is_no_object_is_invalid(value: bytes) -> None:
    assert reason(decode("clicks", value)) == "invalid"


def test_price_times_quantity_is_limited() -> None:
    for price, quantity in ((1000.01, 1_000_000), (1e9, 2), (500_000_001, 2)):
        outcome = decode("clicks", record("clicks", price=price, quantity=quantity))
        assert isinstance(outcome, Rejection)
        assert outcome.reason is Reason.INVALID


MALFORMED: dict[str, bytes | None] = {
    "no value": None,
    "empty": b"",
    "spaces": b"   ",
    "text": b"not json",
    "byte order mark": b"\xef\xbb\xbf" + record("clicks"),
    "trailing garbage": record("clicks") + b"x",
    "two objects": record("clicks") * 2,
    "cut": record("clicks")[:-1],
    "NaN in a known field": record("clicks", price=Literal("NaN")),
    "NaN in an unknown field": record("clicks", unknown=Literal("NaN")),
    "Infinity in a known field": record("clicks", price=Literal("Infinity")),
    "-Infinity in an unknown field": record("clicks", unknown=Literal("-Infinity")),
    "NaN beside 1e999": record("clicks", price=Literal("1e999"), unknown=Literal("NaN")),
    "lone surrogate in an id": record("clicks", user_id=LONE),
    "lone surrogate in an unknown field": record("clicks", unknown=LONE),
    "lone surrogate in an unknown name": record("clicks").replace(b"{", rb'{"\udc00":1,', 1),
    "lone surrogate beside 1e999": record("clicks", price=Literal("1e999"), unknown=LONE),
    "invalid UTF-8 in a known field": record("clicks").replace(b"i1", b"i\xff"),
    "invalid UTF-8 in an unknown field": record("clicks", unknown="?").replace(b"?", b"\xff"),
    "invalid UTF-8 in an unknown name": record("clicks", unknown=1).replace(b"unknown", b"\xc3("),
    "encoded surrogate in an unknown field": record("clicks", unknown="?").replace(b"?", b"\xed\xa0\x80"),
    "nesting of 65": record("clicks", unknown=Literal("[" * 64 + "]" * 64)),
    "nesting of 65 in a known field": record("clicks", price=Literal("[" * 64 + "]" * 64)),
    "nesting of 100,000": b"[" * 100_000,
    "nesting of 100,000 objects": b'{"a":' * 100_000,
    "newline in a string": record("clicks", item_id=Literal('"a\nb"')),
    "null byte in a string": record("clicks", unknown=Literal('"\0"')),
    "null byte after the object": record("clicks") + b"\0",
    "UTF-16": record("clicks").decode().encode("utf-16-le"),
    "leading zero": record("clicks", timestamp=Literal("01764000000000")),
    "single quotes": record("clicks").replace(b'"', b"'"),
}


@pytest.mark.parametrize("value", MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("topic", BASES)
def test_bytes_that_are_no_strict_json_are_malformed_in_every_topic(topic: str, value: bytes | None) -> None:
    assert reason(decode(topic, value)) == "malformed"


@pytest.mark.parametrize("key", [None, b"", b"u2", b"U1", b"u1 ", b"u", b"u11", b'"u1"', b"\xff"])
@pytest.mark.parametrize("topic", BASES)
def test_a_key_that_is_not_the_user_id_is_a_mismatch(topic: str, key: bytes | None) -> None:
    assert reason(decode(topic, record(topic), key=key)) == "key_mismatch"


def test_a_key_in_another_normal_form_is_a_mismatch() -> None:
    value = record("clicks", user_id="\u00e9")
    assert reason(decode("clicks", value, key="\u00e9".encode())) is None
    assert reason(decode("clicks", value, key="e\u0301".encode())) == "key_mismatch"


@pytest.mark.parametrize("text", ["a" * 32_769, "é" * 16_384 + "a", "😀" * 8_192 + "a", "a" * 1_000_000])
@pytest.mark.parametrize(("topic", "name"), [("reviews", "text"), ("searches", "query")])
def test_a_long_text_is_too_large(topic: str, name: str, text: str) -> None:
    assert reason(decode(topic, record(topic, **{name: text}))) == "too_large"


@pytest.mark.parametrize(
    "timestamp",
    [NOW + DAY + 1, 2**63, 2**64 - 1, 2**64, 10**30, Literal("9" * 310), Literal("9" * 5_000), "9999-12-31T23:59:60Z"],
)
@pytest.mark.parametrize("topic", BASES)
def test_a_timestamp_far_ahead_is_future(topic: str, timestamp: Any) -> None:
    assert reason(decode(topic, record(topic, timestamp=timestamp))) == "future"


def test_future_is_measured_from_the_time_of_the_record() -> None:
    assert reason(decode("clicks", record("clicks"), at=NOW - DAY)) is None
    assert reason(decode("clicks", record("clicks"), at=NOW - DAY - 1)) == "future"


@pytest.mark.parametrize("topic", BASES)
def test_no_record_vouches_for_an_event_after_the_year_9999(topic: str) -> None:
    # Its timestamp is the producer's word, and 64 bits wide.
    latest = "9999-12-31T23:59:59.999Z"
    assert reason(decode(topic, record(topic, timestamp=latest), at=2**63 - 1)) is None
    for timestamp in ("9999-12-31T23:59:60Z", 253_402_300_800_000, 2**63 - 1, 2**63 + 10):
        assert reason(decode(topic, record(topic, timestamp=timestamp), at=2**63 - 1)) == "future"


@pytest.mark.parametrize(
    ("topic", "changes", "told"),
    [
        ("reviews", {"rating": 6}, "rating: expected a number from 1 to 5, found a greater one"),
        ("reviews", {"rating": 0.5}, "rating: expected a number from 1 to 5, found a smaller one"),
        ("reviews", {"rating": "5"}, "rating: expected a number from 1 to 5, found a string"),
        ("clicks", {"quantity": 0}, "quantity: expected an integer from 1 to 1000000, found a smaller one"),
        ("clicks", {"quantity": 2.0}, "quantity: expected an integer from 1 to 1000000, found a number"),
        ("clicks", {"item_id": ""}, "item_id: expected a string of 1 to 256 UTF-8 bytes, found an empty one"),
        ("clicks", {"item_id": "i" * 257}, "item_id: expected a string of 1 to 256 UTF-8 bytes, found a longer one"),
        ("clicks", {"item_id": 7}, "item_id: expected a string of 1 to 256 UTF-8 bytes, found an integer"),
        ("clicks", {"action": "zap"}, "action: expected one of view, favorite, cart, purchase, remove, found another"),
        (
            "clicks",
            {"action": None},
            "action: expected one of view, favorite, cart, purchase, remove, found nothing or null",
        ),
        ("clicks", {"currency": "EUR"}, "currency: expected the deployment's own, USD, found another"),
    ],
)
def test_what_was_found_is_told_apart_from_what_was_expected(topic: str, changes: dict[str, Any], told: str) -> None:
    rejection = decode(topic, record(topic, **changes))
    assert isinstance(rejection, Rejection)
    assert rejection.detail == told


def test_a_late_event_is_accepted_however_late() -> None:
    assert isinstance(decode("clicks", record("clicks", timestamp=EARLIEST), at=NOW * 2), Click)


# When several reasons apply, the first in the order of the contract is given.

TOO_LONG = " " * MIB
ORDER: list[tuple[str, bytes, bytes | None, str]] = [
    ("oversized and not JSON", b"x" * (MIB + 1), None, "too_large"),
    ("oversized, all else valid", record("clicks", unknown=TOO_LONG), b"u1", "too_large"),
    ("malformed and invalid", record("clicks", price=-1, unknown=Literal("NaN")), b"u1", "malformed"),
    ("malformed and mismatched", record("clicks", unknown=LONE), None, "malformed"),
    ("invalid and mismatched", record("clicks", price=-1), None, "invalid"),
    ("invalid and a long text", record("reviews", rating=9, text="a" * 40_000), b"u1", "invalid"),
    ("invalid and future", record("clicks", price=-1, timestamp=NOW * 2), b"u1", "invalid"),
    ("mismatched and a long text", record("reviews", text="a" * 40_000), b"u2", "key_mismatch"),
    ("mismatched and future", record("clicks", timestamp=NOW * 2), b"u2", "key_mismatch"),
    ("a long text and future", record("reviews", text="a" * 40_000, timestamp=NOW * 2), b"u1", "too_large"),
]


@pytest.mark.parametrize(("value", "key", "first"), [case[1:] for case in ORDER], ids=[case[0] for case in ORDER])
def test_the_first_reason_that_applies_is_given(value: bytes, key: bytes | None, first: str) -> None:
    topic = "reviews" if b'"rating"' in value else "clicks"
    assert reason(decode(topic, value, key=key)) == first


# Settings.


def test_the_limits_are_settings() -> None:
    decoder = Decoder("EUR", NOW, 200, 10, 1000)

    def told(topic: str, at: int = NOW, **changes: Any) -> str | None:
        return reason(decoder.decode(topic, b"u1", record(topic, **changes), at))

    assert told("clicks", currency="EUR") is None
    assert told("clicks", currency="USD") == "invalid"
    assert told("clicks", timestamp=NOW - 1) == "invalid"
    assert told("clicks", unknown="a" * 200) == "too_large"
    assert told("searches", query="a" * 10) is None
    assert told("searches", query="a" * 11) == "too_large"
    assert told("clicks", at=NOW - 1000) is None
    assert told("clicks", at=NOW - 1001) == "future"


def test_an_unknown_topic_is_an_error_of_the_caller() -> None:
    with pytest.raises(ConfigurationError, match="reviews, searches, clicks, erasures"):
        decode("purchases", record("clicks"))


# Anything at all.

MARK = "Ω"
"""Every string of the fuzzed records contains it, and no detail may."""

strings = st.text(max_size=6).map(lambda text: MARK + text)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**22), 10**22)
    | st.floats()
    | strings
    | st.sampled_from([MARK * 40_000, MARK * 130, LONE, Literal("1e999"), NOW, EARLIEST - 1])
)
values = scalars | st.lists(scalars, max_size=2) | st.dictionaries(strings, scalars, max_size=2)
names = st.sampled_from(sorted({name for base in BASES.values() for name in base} | {"price", "quantity"}))
topics = st.sampled_from(sorted(BASES))


@settings(max_examples=500)
@given(topics, st.none() | st.binary(max_size=8), st.none() | st.binary(max_size=60), st.integers(-1, NOW))
@example("clicks", b"u1", record("clicks"), NOW)
def test_any_bytes_give_an_event_or_a_rejection(topic: str, key: bytes | None, value: bytes | None, at: int) -> None:
    assert isinstance(decode(topic, value, key, at), Review | Search | Click | Erasure | Rejection)


@settings(max_examples=500)
@given(topics, st.integers(0, 200), st.integers(0, 4), st.binary(max_size=4))
def test_a_damaged_record_gives_an_event_or_a_rejection(
    topic: str, position: int, removed: int, inserted: bytes
) -> None:
    value = record(topic)
    value = value[:position] + inserted + value[position + removed :]
    assert isinstance(decode(topic, value), Review | Search | Click | Erasure | Rejection)


@settings(max_examples=500, deadline=None)
@given(
    topics,
    st.dictionaries(names, values, max_size=3),
    st.dictionaries(strings, values, max_size=2),
    st.sampled_from([b"u1", None, MARK.encode()]),
)
def test_the_detail_never_quotes_the_record(
    topic: str, changes: dict[str, Any], unknown: dict[str, Any], key: bytes | None
) -> None:
    value = encode({**BASES[topic], **changes, **unknown})
    outcome = decode(topic, value, key)
    if isinstance(outcome, Rejection):
        assert outcome.detail
        assert MARK not in outcome.detail
        assert outcome.detail.isascii()


@pytest.mark.parametrize("secret", ["hunter2", "42424242", "usd-ish"])
def test_the_detail_of_every_reason_keeps_a_secret(secret: str) -> None:
    quoted = json.dumps(secret)
    records: list[tuple[str, bytes, str]] = [
        ("too_large", record("clicks", unknown=secret + TOO_LONG), "u1"),
        ("malformed", (quoted + secret).encode(), "u1"),
        ("malformed", ("{" + quoted + ":NaN}").encode(), "u1"),
        ("invalid", record("clicks", action=secret), "u1"),
        ("invalid", record("clicks", currency=secret), "u1"),
        ("invalid", record("clicks", timestamp=secret), "u1"),
        ("invalid", record("clicks", timestamp=Literal("-42424242")), "u1"),
        ("invalid", record("clicks", price=Literal("-42424242")), "u1"),
        ("invalid", quoted.encode(), "u1"),
        ("key_mismatch", record("clicks", user_id=secret), "other"),
        ("key_mismatch", record("clicks"), secret),
        ("too_large", record("reviews", text=secret * 10_000), "u1"),
        ("future", record("clicks", timestamp=Literal("4242424242424242")), "u1"),
    ]
    for expected, value, key in records:
        outcome = decode("reviews" if b'"rating"' in value else "clicks", value, key.encode())
        assert isinstance(outcome, Rejection)
        assert outcome.reason == expected
        assert secret not in outcome.detail


ids = st.text(min_size=1, max_size=64).filter(lambda text: len(text.encode()) <= 256)
texts = st.text(max_size=20)
money = st.floats(0, 1e9)
moments = st.integers(EARLIEST, NOW + DAY)


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


EVENTS: dict[str, Callable[[], st.SearchStrategy[Any]]] = {
    "reviews": lambda: st.builds(
        Review,
        *[ids, ids, ids, texts, st.floats(1, 5) | st.integers(1, 5), moments],
        *[optional(texts), optional(money), optional(texts), optional(st.just("USD"))],
    ),
    "searches": lambda: st.builds(
        Search, ids, ids, texts, moments, optional(texts), optional(st.floats(0, allow_infinity=False))
    ),
    "clicks": lambda: st.builds(
        Click,
        *[ids, ids, ids, st.sampled_from(Action), moments, optional(texts)],
        *[optional(st.floats(0, 1000)), st.integers(1, 10**6), optional(st.just("USD")), optional(ids)],
    ),
    "erasures": lambda: st.builds(Erasure, ids, moments),
}


@pytest.mark.parametrize("topic", BASES)
@given(st.data(), st.booleans())
def test_a_valid_event_survives_the_round_trip(topic: str, data: st.DataObject, ascii_only: bool) -> None:
    event = data.draw(EVENTS[topic]())
    fields = {name: getattr(event, name) for name in event.__struct_fields__}
    value = json.dumps(fields, ensure_ascii=ascii_only).encode()
    assert decode(topic, value, event.user_id.encode()) == event
