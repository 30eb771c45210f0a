"""NDJSON lines: which are records, and what becomes of all others."""

from __future__ import annotations

import base64
import json
from typing import Any

import orjson
import pytest
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from streams.contract import INPUTS
from streams.records.decoder import Decoder
from streams.records.ndjson import (
    MAX_TOPIC_NAME,
    Record,
    RejectedLine,
    parse_line,
    partition_of,
)
from streams.records.rejection import Reason
from streams.settings import MAX_RECORD_BYTES, MAX_TOPIC_BYTES

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def record(line: bytes) -> Record:
    parsed = parse_line(line)
    assert isinstance(parsed, Record), parsed
    return parsed


def rejected(line: bytes) -> RejectedLine:
    parsed = parse_line(line)
    assert isinstance(parsed, RejectedLine), parsed
    return parsed


def worker_says(value: bytes, key: bytes | None) -> Any:
    decoder = Decoder(currency="USD", earliest_ms=0, max_record_bytes=MAX_RECORD_BYTES)
    return decoder.decode("clicks", key, value, 2_000_000_000_000)


@given(st.sampled_from(INPUTS), st.dictionaries(st.text(), JSON, max_size=4), st.text(min_size=1))
def test_a_value_becomes_the_record_of_its_user(topic: str, value: dict[str, Any], user: str) -> None:
    value["user_id"] = user
    found = record(orjson.dumps({"topic": topic, "value": value}))
    assert found == Record(topic, user.encode(), orjson.dumps(value))


def test_a_value_keeps_every_byte_as_it_stands() -> None:
    raw = b'{ "user_id" : "u" , "price":1.0e3, "user_id":"v", "t":"\\u00e9\xc3\xa9" }'
    found = record(b'{"value": ' + raw + b' ,"topic" : "clicks"}')
    assert found == Record("clicks", b"v", raw)


def test_a_key_of_the_line_overrides_that_of_the_value() -> None:
    assert record(b'{"topic":"clicks","key":"k","value":{"user_id":"u"}}').key == b"k"
    assert record(b'{"topic":"clicks","key":"","value":{"user_id":"u"}}').key == b""
    assert record(b'{"topic":"clicks","key":null,"value":{"user_id":"u"}}').key is None


@pytest.mark.parametrize("value", [b"{}", b"[]", b"null", b"1", b'"u"', b'{"user_id":1}', b'{"user_id":null}'])
def test_a_value_without_a_user_is_a_record_without_a_key(value: bytes) -> None:
    assert record(b'{"topic":"clicks","value":' + value + b"}") == Record("clicks", None, value)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ('"key": 5, "raw": "x"', "text or null under `key`"),
        ('"raw": 5', "text under `raw`"),
        ('"raw_base64": null', "text under `raw_base64`"),
        ('"raw_base64": "%"', "base64 under `raw_base64`"),
        ('"raw": "\\ud800"', "an object with"),
    ],
)
def test_what_is_wrong_with_a_line_of_a_known_topic_is_named(members: str, expected: str) -> None:
    found = rejected(f'{{"topic": "clicks", {members}}}'.encode())
    assert found.topic == "clicks"
    assert found.rejection.detail.startswith(f"line: expected {expected}")


@pytest.mark.parametrize("topic", ['"\\ud800"', "[]", '"elsewhere"', "null"])
def test_a_topic_that_is_none_is_not_repeated_from_a_line_that_is_no_record(topic: str) -> None:
    assert rejected(f'{{"topic": {topic}, "raw": 5}}'.encode()).topic == ""


@given(st.text())
def test_raw_text_goes_as_it_is(text: str) -> None:
    assert record(orjson.dumps({"topic": "searches", "key": "u", "raw": text})) == Record(
        "searches", b"u", text.encode()
    )


@given(st.binary())
def test_raw_bytes_go_as_they_are(raw: bytes) -> None:
    line = orjson.dumps({"topic": "reviews", "raw_base64": base64.b64encode(raw).decode()})
    assert record(line) == Record("reviews", None, raw)


@pytest.mark.parametrize(
    "fragment",
    [
        *(b'{"user_id":"u","price":NaN}', b'{"user_id":"u","price":-Infinity}', b'{"user_id":"u","x":"\\ud800"}'),
        *(b'{"user_id":"u","x":"\xff"}', b'{"user_id":"u","x":"},{\\udc00\\""}'),
    ],
)
def test_a_value_that_a_worker_calls_malformed_reaches_it_under_its_key(fragment: bytes) -> None:
    found = record(b'{"topic": "clicks", "value": ' + fragment + b" }")
    assert found == Record("clicks", b"u", fragment)
    assert worker_says(found.value, found.key).reason is Reason.MALFORMED


@pytest.mark.parametrize("depth", [65, 900, 5_000, 100_000])
def test_a_value_nested_too_deeply_reaches_the_worker_byte_for_byte(depth: int) -> None:
    value = b'{"user_id":"u","x":' + b"[" * depth + b"]" * depth + b"}"
    found = record(b'{"value":' + value + b',"topic":"clicks","key":"u"}')
    assert found == Record("clicks", b"u", value)
    assert worker_says(found.value, found.key).reason is Reason.MALFORMED


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"no object", b"[]", b"null", b"NaN", b"{", b'{"topic":"clicks","value":{}} x', b"\xef\xbb\xbf{}"),
        *(b'{"topic":"clicks"}', b'{"value":{}}', b'{"topic":null,"value":{}}', b'{"topic":1,"value":{}}'),
        *(b'{"topic":"clicks","raw":null}', b'{"topic":"clicks","raw":1}', b'{"topic":"clicks","raw":"\\ud800"}'),
        *(b'{"topic":"clicks","raw_base64":"a"}', b'{"topic":"clicks","raw_base64":"Y Q="}'),
        *(b'{"topic":"clicks","value":{},"raw":""}', b'{"topic":"clicks","raw":"a","raw_base64":"YQ=="}'),
        *(b'{"topic":"clicks","value":{},"key":1}', b'{"topic":"clicks","value":nope}', b'{"topic":"clicks","value":}'),
        *(b'{"topic":"clicks","value":"a}', b'[{"topic":"clicks","value":NaN}]', b'{"topic":NaN,"value":{}}'),
        *(b'{"topic":"orders","value":{}}', b'{"topic":"","value":{}}', b'{"topic":"purchasing-power","value":{}}'),
        *(b'{"topic":"Clicks","value":{}}', b'{"topic":"clicks ","value":{}}'),
    ],
)
def test_any_other_line_is_an_invalid_dead_letter_with_its_bytes(line: bytes) -> None:
    found = rejected(line)
    assert found.rejection.reason is Reason.INVALID
    assert found.raw == line


@given(st.binary(max_size=60))
def test_whatever_the_bytes_a_line_is_a_record_or_a_dead_letter(line: bytes) -> None:
    found = parse_line(line)
    assert isinstance(found, Record) or found.raw == line


@given(JSON, st.text())
def test_whatever_the_json_a_line_is_a_record_or_a_dead_letter(value: Any, name: str) -> None:
    for line in (value, {name: value}, {"topic": value, "value": value}, {"topic": "clicks", name: value}):
        assert isinstance(parse_line(json.dumps(line).encode()), Record | RejectedLine)


def test_a_dead_letter_names_the_topic_that_its_line_did() -> None:
    assert rejected(b'{"topic":"orders","value":{}}').topic == "orders"
    assert rejected(b"no object").topic == ""


def test_no_detail_quotes_what_a_user_wrote() -> None:
    for line in (b'{"topic":"hunter2","value":{}}', b"hunter2", b'{"topic":"clicks","raw_base64":"hunter2"}'):
        assert "hunter2" not in rejected(line).rejection.detail


def test_the_largest_record_is_taken_and_a_larger_one_is_too_large_with_its_head() -> None:
    largest = orjson.dumps({"topic": "clicks", "key": "u", "raw": "x" * MAX_TOPIC_BYTES})
    assert len(record(largest).value) == MAX_TOPIC_BYTES
    too_large = orjson.dumps({"topic": "clicks", "key": "u", "raw": "x" * (MAX_TOPIC_BYTES + 1)})
    found = rejected(too_large)
    assert (found.topic, found.rejection.reason) == ("clicks", Reason.TOO_LARGE)
    assert too_large.startswith(found.raw)
    assert 0 < len(found.raw) < MAX_TOPIC_BYTES
    assert "bytes are kept" in found.rejection.detail


def test_a_key_that_does_not_fit_beside_its_value_is_too_large() -> None:
    line = orjson.dumps({"topic": "clicks", "key": "k" * (MAX_TOPIC_BYTES // 2), "raw": "x" * MAX_TOPIC_BYTES})
    assert rejected(line).rejection.reason is Reason.TOO_LARGE
    assert record(orjson.dumps({"topic": "clicks", "key": "k" * 300_000, "raw": "x"})).key == b"k" * 300_000


def test_a_line_that_no_topic_takes_keeps_its_head_and_no_endless_topic() -> None:
    found = rejected(b"x" * (MAX_TOPIC_BYTES + 1))
    assert (found.rejection.reason, len(found.raw)) == (Reason.INVALID, MAX_TOPIC_BYTES // 2)
    assert len(rejected(orjson.dumps({"topic": "t" * 10_000, "value": {}})).topic) == MAX_TOPIC_NAME


@given(st.binary(min_size=1), st.integers(1, 64))
def test_a_key_lies_where_kafkas_own_partitioner_puts_it(key: bytes, partitions: int) -> None:
    every = list(range(partitions))
    assert partition_of(key, partitions, spread=7) == DefaultPartitioner()(key, every, every)


def test_records_without_a_key_are_spread() -> None:
    assert [partition_of(None, 3, number) for number in range(6)] == [0, 1, 2, 0, 1, 2]
