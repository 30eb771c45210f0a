"""The tables of the page on formats are those of the code: each event that it names becomes what it says."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from support.pages import DOCS, code, rows, section, text_of

from streams.records.ndjson import Record
from streams.records.shapes import ga4, segment_names
from streams.records.shapes.auto import auto
from streams.records.shapes.segment import CALLS
from streams.sources.shape import Format

FORMATS = DOCS / "formats.md"
PRODUCT = {"product_id": "p", "item_id": "p", "price": 1.5, "quantity": 2}


def call(event: str) -> bytes:
    properties = {**PRODUCT, "products": [PRODUCT, PRODUCT], "query": "tea", "rating": 4, "review_body": "fine"}
    fields = {"event": event, "messageId": "m", "userId": "u", "timestamp": "2025-11-20T09:15:00Z"}
    return json.dumps({"type": "track", **fields, "properties": properties}).encode()


def row(event: str) -> bytes:
    fields = {"event_name": event, "event_timestamp": "1763630100250417", "user_id": "u", "items": [PRODUCT, PRODUCT]}
    return json.dumps(fields | {"event_params": [{"key": "search_term", "value": {"string_value": "tea"}}]}).encode()


SHAPES = {"Segment and RudderStack": call, "GA4 export": row}
TABLES = {title: rows(section(FORMATS, title)) for title in SHAPES}
TAKEN = [
    (title, event, cells[1])
    for title in SHAPES
    for cells in TABLES[title]
    if len(cells) == 3 and cells[0] != "event"
    for event in code(cells[0])
]
LEFT_OUT = [
    (title, event, cells[1])
    for title in SHAPES
    for cells in TABLES[title]
    if len(cells) == 2 and cells[0] not in ("event", "field")
    for event in code(cells[0])
    if " of " not in cells[0]
]


@pytest.mark.parametrize(("title", "event", "becomes"), TAKEN)
def test_an_event_becomes_what_the_page_says(title: str, event: str, becomes: str) -> None:
    records = auto(SHAPES[title](event)).records
    topic, *action = code(becomes)
    assert len(records) == (2 if "one per" in becomes else 1)
    for record in records:
        assert isinstance(record, Record)
        value: dict[str, Any] = orjson.loads(record.value)
        assert (record.topic, [value["action"]] if "action" in value else []) == (topic, action)


def reasons(title: str) -> dict[str, str]:
    """What the page says of the events that are left out."""
    return {event: why for shape, event, why in LEFT_OUT if shape == title}


def test_the_events_that_are_left_out_are_those_of_the_page() -> None:
    shown = reasons("Segment and RudderStack")
    assert {name for name in shown if name in CALLS} == set(CALLS) - {"track"}
    assert {name: why for name, why in shown.items() if name not in CALLS and name in segment_names.LEFT_OUT} == (
        segment_names.LEFT_OUT
    )
    for name in segment_names.LEFT_OUT:
        assert auto(call(name)).left_out == segment_names.LEFT_OUT[name]
    found = reasons("GA4 export")
    assert found
    assert {name: auto(row(name)).left_out for name in found if name in ga4.LEFT_OUT} == ga4.LEFT_OUT
    assert {name: why for name, why in found.items() if name in ga4.LEFT_OUT} == ga4.LEFT_OUT


def test_no_event_that_is_taken_is_missing_on_the_page() -> None:
    shown = {event for _, event, _ in TAKEN}
    assert {*ga4.ACTIONS, *ga4.SEARCH_EVENTS, *segment_names.TAKEN} == shown


def test_every_format_is_on_the_page() -> None:
    listed = [name for cells in rows(text_of(FORMATS)[: text_of(FORMATS).index("## ")]) for name in code(cells[0])[-1:]]
    assert [name for name in listed if name != "--format"] == [*Format]
