"""Events in a shop's own shape, in files of every kind."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streams.exceptions import ConfigurationError
from streams.records.ndjson import Record
from streams.records.shapes.ga4 import ga4
from streams.sources.options import SourceOptions
from streams.sources.reading import check_sources, read_sources
from streams.sources.shape import Format, Shaping

ROWS = [
    {
        "event_date": "20251120",
        "event_timestamp": 1763630460000123,
        "event_name": "purchase",
        "user_id": None,
        "user_pseudo_id": "884.1763",
        "event_params": [{"key": "currency", "value": {"string_value": "EUR", "int_value": None}}],
        "ecommerce": {"transaction_id": "O-1"},
        "items": [
            {"item_id": "T-100", "item_name": "Teapot", "price": 34.5, "quantity": 2},
            {"item_id": "C-7", "item_name": "Cup", "price": 4.75, "quantity": 1},
        ],
    },
    {
        "event_date": "20251120",
        "event_timestamp": 1763630460000456,
        "event_name": "page_view",
        "user_id": None,
        "user_pseudo_id": "884.1763",
        "event_params": [],
        "ecommerce": None,
        "items": [],
    },
]


def test_parquet_of_the_ga4_export_gives_the_records_of_its_json(tmp_path: Path) -> None:
    file = tmp_path / "part-0.parquet"
    pq.write_table(pa.Table.from_pylist(ROWS), file)
    for format in (Format.AUTO, Format.GA4):
        options = SourceOptions(shape=Shaping(format))
        check_sources([file], options)
        arrived = list(read_sources([file], options))
        assert [found.record for found in arrived] == list(ga4(json.dumps(ROWS[0]).encode()).records)
        assert [found.line for found in arrived] == [1, 1]
        assert all(isinstance(found.record, Record) for found in arrived)
        assert options.shape.left_out == {("ga4 page_view", "not about a product"): 1}


@pytest.mark.parametrize("format", [Format.AUTO, Format.OWN])
def test_a_table_without_the_columns_of_any_shape_is_refused_before_it_is_read(tmp_path: Path, format: Format) -> None:
    file = tmp_path / "orders.csv"
    file.write_text("customer,sku\nu,i\n")
    with pytest.raises(ConfigurationError, match="name columns by --map"):
        check_sources([file], SourceOptions(shape=Shaping(format)))


def test_what_is_said_of_bare_events_does_not_touch_calls(tmp_path: Path) -> None:
    call = {"type": "track", "event": "Products Searched", "messageId": "m", "userId": "u"}
    call |= {"timestamp": "2025-11-20T09:15:00Z", "properties": {"query": "tea"}}
    bare = {"type": "purchase", "userId": "u", "item_id": "i", "timestamp": 1764000000000}
    file = tmp_path / "events.ndjson"
    file.write_text(f"{json.dumps(call)}\n{json.dumps(bare)}\n")
    columns, constants = {"user_id": "userId", "action": "type"}, {"topic": "clicks"}
    options = SourceOptions(shape=Shaping(Format.AUTO), columns=columns, constants=constants)
    topics = [found.record.topic for found in read_sources([file], options) if isinstance(found.record, Record)]
    assert topics == ["searches", "clicks"]


@pytest.mark.parametrize("format", Format)
def test_a_table_of_events_is_one_in_every_format(tmp_path: Path, format: Format) -> None:
    file = tmp_path / "orders.csv"
    file.write_text("user_id,item_id,action,timestamp\nu,i,view,1764000000000\n")
    options = SourceOptions(shape=Shaping(format))
    check_sources([file], options)
    (found,) = read_sources([file], options)
    assert isinstance(found.record, Record)
