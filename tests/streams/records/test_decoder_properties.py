"""Records of any kind: none of them stops the decoder, and no detail of a rejection quotes one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.raw_records import BASES, DAY, EARLIEST, LONE, NOW, TOO_LONG, Literal, decode, encode, record

from streams.records.events import Action, Click, Erasure, Review, Search
from streams.records.rejection import Rejection

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
        *[optional(st.floats(0, 1000)), st.integers(1, 10**6), optional(st.just("USD"))],
        *[optional(ids), optional(texts), optional(ids)],
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
