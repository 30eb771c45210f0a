"""Records that are rejected for a reason other than a field: which reason is given."""

from __future__ import annotations

from typing import Any

import pytest
from support.raw_records import BASES, DAY, LONE, MIB, NOW, TOO_LONG, Literal, decode, reason, record

from streams.exceptions import ConfigurationError
from streams.records.decoder import Decoder

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
