"""Whatever stands in a line, a shape returns records that are sound JSON under their user's key, or says why not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.contract import INPUTS
from streams.records.decoder import Decoder
from streams.records.ndjson import Record, RejectedLine
from streams.records.rejection import Reason, Rejection
from streams.records.shapes.auto import auto, own
from streams.records.shapes.ga4 import ga4
from streams.records.shapes.lines import MAX_LINES
from streams.records.shapes.segment import segment
from streams.records.shapes.translated import MAX_SOURCE, Translate, Translated
from streams.settings import MAX_TOPIC_BYTES

SHAPES = [segment, ga4, auto, own]
GOLDEN = Path(__file__).parent / "golden"
SOUND: list[Any] = [
    json.loads(line)
    for name in ("segment", "ga4")
    for line in (GOLDEN / f"{name}.ndjson").read_text().splitlines()
    if line.startswith("{")
]
SECRET = "moonflower"
HOSTILE = (
    st.none()
    | st.booleans()
    | st.sampled_from([2**53, 2**63, 2**64, -(2**64), 10**400, 0, -1, 1.5, 1e308, 12.0])
    | st.sampled_from(["", " ", "1e999", "1e-999", "NaN", "１２", "9" * 40, "x" * 300, SECRET, "(not set)", "\ud800"])
    | st.sampled_from([[], {}, [[]], [None], [{}], {"a": SECRET}, [{"key": "currency"}], [{"key": 1, "value": {}}]])
    | st.floats()
    | st.text(max_size=20)
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths to every value within a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, item in inner for found in places(item, (*path, key)))]


def changed(value: Any, path: tuple[Any, ...], to: Any) -> Any:
    if not path:
        return to
    copy = value.copy()
    copy[path[0]] = changed(copy[path[0]], path[1:], to)
    return copy


@st.composite
def nearly_sound(draw: st.DrawFn) -> bytes:
    event = draw(st.sampled_from(SOUND))
    for _ in range(draw(st.integers(1, 3))):
        event = changed(event, draw(st.sampled_from(places(event))), draw(HOSTILE))
    return json.dumps(event).replace("Infinity", "1e999").encode("utf-8", "surrogatepass")


def check(shape: Translate, line: bytes) -> Translated:
    """What holds of every line."""
    translated = shape(line)
    assert len(translated.source) <= MAX_SOURCE
    assert bool(translated.left_out) != bool(translated.records)
    rejections = [record for record in translated.records if isinstance(record, RejectedLine)]
    assert len(rejections) <= 1
    records = [record for record in translated.records if isinstance(record, Record)]
    for found in rejections:
        assert found.raw == line
        assert found.rejection.reason in {Reason.INVALID, Reason.TOO_LARGE}
        assert SECRET not in found.rejection.detail
    if translated.source == "own":
        return translated
    for record in records:
        assert record.topic in INPUTS
        verdict = Decoder(currency="EUR").decode(record.topic, record.key, record.value, 1_795_000_000_000)
        # Ranges are the decoder's; that it is JSON under its user's key is the shape's.
        if isinstance(verdict, Rejection):
            assert verdict.reason in {Reason.INVALID, Reason.FUTURE}, verdict
            assert SECRET not in verdict.detail
    ids = [orjson.loads(record.value)["event_id"] for record in records]
    assert len(set(ids)) == len(ids)
    return translated


@pytest.mark.parametrize("shape", SHAPES)
@given(st.binary(max_size=200))
@example(b"")
@example(b"{}")
@example(b"\xef\xbb\xbf{}")
@example(b"[" * 100_000)
@example(b'{"type":"track","event":' + b'{"a":' * 80 + b"1" + b"}" * 81)
def test_any_bytes(shape: Translate, line: bytes) -> None:
    check(shape, line)


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=400)
@given(nearly_sound())
def test_events_of_which_something_is_not_as_it_should_be(shape: Translate, line: bytes) -> None:
    check(shape, line)


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        (
            {"type": "track", "event": "Order Completed", "properties": {"products": [{"product_id": "a"}, {}]}},
            "Order Completed: properties.products[1].product_id: expected a string of 1 to 256 UTF-8 bytes",
        ),
        (
            {
                "event_name": "purchase",
                "event_timestamp": 1,
                "items": [{"item_id": "a"}, {"item_id": "b", "price": []}],
            },
            "purchase: items[1].price: expected a number, found an array",
        ),
    ],
)
def test_a_faulty_line_of_an_order_is_named_and_the_others_are_taken(line: dict[str, Any], detail: str) -> None:
    line |= {"userId": "u", "user_id": "u", "messageId": "m", "timestamp": "2025-11-20T09:15:00Z"}
    sound, refused = check(auto, json.dumps(line).encode()).records
    assert isinstance(sound, Record)
    assert isinstance(refused, RejectedLine)
    assert refused.rejection.detail.startswith(detail)


def test_an_order_of_too_many_lines_is_refused_whole() -> None:
    def order(lines: int) -> bytes:
        products = [{"product_id": "a", "price": 1}] * lines
        call = {"type": "track", "event": "Order Completed", "userId": "u", "messageId": "m" * 300}
        return json.dumps(call | {"timestamp": "2025-11-20T09:15:00Z", "properties": {"products": products}}).encode()

    assert len(check(auto, order(MAX_LINES)).records) == MAX_LINES
    (refused,) = check(auto, order(MAX_LINES + 1)).records
    assert isinstance(refused, RejectedLine)


def test_of_a_huge_line_that_is_refused_only_its_head_is_kept() -> None:
    line = b'{"type":"track","event":7,"messageId":"' + b"m" * MAX_TOPIC_BYTES + b'"}'
    (refused,) = auto(line).records
    assert isinstance(refused, RejectedLine)
    assert len(refused.raw) < len(line)


def test_a_record_of_the_contract_is_one_whatever_else_it_says() -> None:
    value = {"event_id": "e", "user_id": "u", "item_id": "i", "action": "view", "timestamp": 1764000000000}
    line = {"topic": "clicks", "value": value, "type": "track", "messageId": "m", "event_name": "x"}
    raw = json.dumps(line | {"event_timestamp": 1}).encode()
    assert auto(raw) == own(raw)
    assert isinstance(auto(raw).records[0], Record)


def test_a_call_that_has_a_topic_too_is_a_call() -> None:
    line = {"type": "track", "event": "Products Searched", "messageId": "m", "userId": "u", "topic": "web"}
    line |= {"timestamp": "2025-11-20T09:15:00Z"}
    raw = json.dumps(line | {"properties": {"query": "tea"}}).encode()
    assert auto(raw).source == "segment Products Searched"
    assert isinstance(auto(raw).records[0], Record)
