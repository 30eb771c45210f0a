"""How many values a second become JSON, by encoding, beside values that are JSON already.

Figures are of processor time, since nothing here waits. The events are clicks of our own, flat, and orders of Segment
with three products, nested. What the flow does with any of them next, to read the JSON as events, is measured too.
"""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import fastavro
import orjson
from benchmarks.harness import PAIRS, interleave, machine, median_ratio, report, spread, table
from benchmarks.material.clicks import clicks
from support.encoded import framed
from support.servers.fake_registry import FakeRegistry

from streams.contract import CLICKS
from streams.encodings.encoding import Encoding
from streams.encodings.protobuf import protobuf_reader
from streams.encodings.reading import ValueReader, open_values
from streams.encodings.schema import Kind, Schema
from streams.records.event_reader import EventReader
from streams.records.ndjson import RejectedLine
from streams.records.shapes.auto import auto
from streams.settings import load_settings

VALUES: Final = 10_000
BATCH: Final = 500
BASE: Final = "JSON"

CLICK_FIELDS: Final = {
    **dict.fromkeys(("event_id", "user_id", "item_id", "action", "category", "session_id"), "string"),
    "timestamp": {"type": "long", "logicalType": "timestamp-millis"},
    "price": "double",
}
CLICK_AVRO: Final = {
    "type": "record",
    "name": "Click",
    "fields": [{"name": name, "type": ["null", kind], "default": None} for name, kind in CLICK_FIELDS.items()],
}
CLICK_PROTO: Final = """
syntax = "proto3";
message Click {
  string event_id = 1; string user_id = 2; string item_id = 3; string action = 4; string category = 5;
  string session_id = 6; int64 timestamp = 7; optional double price = 8;
}
"""
PRODUCT: Final = {
    "type": "record",
    "name": "Product",
    "fields": [
        *({"name": name, "type": "string"} for name in ("product_id", "name", "category")),
        {"name": "price", "type": "double"},
        {"name": "quantity", "type": "int"},
    ],
}
ORDER_AVRO: Final = {
    "type": "record",
    "name": "Order",
    "fields": [
        *({"name": name, "type": "string"} for name in ("type", "event", "messageId", "userId", "timestamp")),
        {
            "name": "properties",
            "type": {
                "type": "record",
                "name": "Properties",
                "fields": [
                    *({"name": name, "type": "string"} for name in ("order_id", "currency")),
                    {"name": "products", "type": {"type": "array", "items": PRODUCT}},
                ],
            },
        },
    ],
}
ORDER_PROTO: Final = """
syntax = "proto3";
message Order {
  string type = 1; string event = 2; string messageId = 3; string userId = 4; string timestamp = 5;
  Properties properties = 6;
}
message Properties { string order_id = 1; string currency = 2; repeated Product products = 3; }
message Product { string product_id = 1; string name = 2; string category = 3; double price = 4; int32 quantity = 5; }
"""


def orders(count: int) -> list[dict[str, Any]]:
    """Return orders of three products, as Segment delivers them."""
    return [
        {
            "type": "track",
            "event": "Order Completed",
            "messageId": f"m-{number}",
            "userId": f"u-{number % 1000}",
            "timestamp": "2026-11-23T08:30:00Z",
            "properties": {
                "order_id": f"o-{number}",
                "currency": "USD",
                "products": [
                    {
                        "product_id": f"p-{number % 97 + place}",
                        "name": "a record of somebody's songs",
                        "category": "jazz",
                        "price": 9.99 + place,
                        "quantity": 1 + place,
                    }
                    for place in range(3)
                ],
            },
        }
        for number in range(count)
    ]


async def encoded(
    registry: FakeRegistry, events: list[dict[str, Any]], avro: Any, proto: str
) -> dict[str, list[bytes]]:
    """Register the schemas of some events, and return the events as values of each encoding."""
    parsed = fastavro.parse_schema(avro)
    reader: Any = await protobuf_reader(Schema(0, Kind.PROTOBUF, proto))
    message = reader._class_of(reader._messages[0])
    ids = registry.add(json.dumps(avro)), registry.add(proto, "PROTOBUF"), registry.add("{}", "JSON")

    def avro_bytes(event: Any) -> bytes:
        file = io.BytesIO()
        fastavro.schemaless_writer(file, parsed, event)
        return file.getvalue()

    return {
        BASE: [orjson.dumps(event) for event in events],
        "JSON Schema": [framed(ids[2], orjson.dumps(event)) for event in events],
        "Avro": [framed(ids[0], avro_bytes(event)) for event in events],
        "Protobuf": [framed(ids[1], b"\x00" + message(**event).SerializeToString()) for event in events],
    }


def reading(values: Sequence[bytes], reader: ValueReader) -> Callable[[], float]:
    """Return what measures how many values a second of processor time become JSON."""

    async def all_of_them() -> None:
        for start in range(0, len(values), BATCH):
            found = await reader.read(values[start : start + BATCH])
            assert all(isinstance(one, bytes) for one in found)

    def measure() -> float:
        began = time.process_time()
        asyncio.run(all_of_them())
        return len(values) / (time.process_time() - began)

    return measure


def as_click(text: bytes) -> None:
    """Read a click of ours, as the flow does."""
    EventReader("USD", 0).read(CLICKS, text)


def as_order(text: bytes) -> None:
    """Read an order of Segment, as the flow does."""
    assert not any(isinstance(one, RejectedLine) for one in auto(text).records)


def events_of(texts: Sequence[bytes], read: Callable[[bytes], None]) -> Callable[[], float]:
    """Return what measures how many texts a second of processor time become events."""

    def measure() -> float:
        began = time.process_time()
        for text in texts:
            read(text)
        return len(texts) / (time.process_time() - began)

    return measure


def main() -> None:
    """Measure, and write the report."""
    where = machine()
    own = [json.loads(text) for _, text in clicks(VALUES)]
    rows: list[Sequence[Any]] = []
    result: dict[str, Any] = {"machine": where, "values": VALUES}
    with FakeRegistry() as registry:
        reader = open_values(load_settings(schema_registry_url=registry.url), Encoding.AUTO)
        for name, events, avro, proto, read in (
            ("click", own, CLICK_AVRO, CLICK_PROTO, as_click),
            ("order of three products", orders(VALUES // 2), ORDER_AVRO, ORDER_PROTO, as_order),
        ):
            values = asyncio.run(encoded(registry, events, avro, proto))
            sides = {side: reading(of, reader) for side, of in values.items()}
            for measure in sides.values():
                measure()  # Schemas are asked for and compiled here.
            figures = interleave(sides | {"read as events": events_of(values[BASE], read)})
            result[name] = figures
            for side, found in figures.items():
                size = round(sum(map(len, values.get(side, values[BASE]))) / len(events))
                beside = f"{median_ratio(found, figures['read as events']):.2f}"
                rows.append([name, side, size, sorted(found)[PAIRS // 2], spread(found), beside])
    head = ["event", "what is read", "bytes", "values a second", "from to", "beside reading as events"]
    report("encodings", "Values to JSON, by encoding", result, table(head, rows))


if __name__ == "__main__":
    main()
