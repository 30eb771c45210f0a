"""Values of Avro become JSON, each type in the form that docs/encodings.md names."""

from __future__ import annotations

import datetime
import json
import struct
from decimal import Context, Decimal, localcontext
from typing import Any
from uuid import UUID

import orjson
import pytest
from support.encoded import avro_bytes, framed

from streams.encodings.avro import avro_reader
from streams.encodings.exceptions import UnreadableSchemaError, UnreadableValueError
from streams.encodings.schema import Kind, Schema

INSTANT = datetime.datetime(2026, 11, 28, 8, 30, 0, 123456, datetime.UTC)
INSTANT_MS = 1795854600123
NODE = {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]}


def record(kind: Any) -> dict[str, Any]:
    return {"type": "record", "name": "shop.Event", "fields": [{"name": "field", "type": kind}]}


def read(schema: Any, encoded: bytes, **references: str) -> bytes:
    text = schema if isinstance(schema, str) else json.dumps(schema)
    return avro_reader(Schema(7, Kind.AVRO, text, {name.replace("_", "."): of for name, of in references.items()}))(
        framed(7, encoded)
    )


def logical(kind: str, logical_type: str, /, **more: object) -> dict[str, object]:
    return {"type": kind, "logicalType": logical_type} | more


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("boolean", True, "true"),
        ("long", 2**63 - 1, "9223372036854775807"),
        ("double", 19.99, "19.99"),
        ("float", 19.99, "19.99"),
        ("string", "Füße", '"Füße"'),
        ("bytes", b"\xff\x00", '"/wA="'),
        ("null", None, "null"),
        (["null", "double"], None, "null"),
        (["null", "double"], 0.5, "0.5"),
        ({"type": "enum", "name": "Kind", "symbols": ["VIEW", "CART"]}, "CART", '"CART"'),
        ({"type": "fixed", "name": "Three", "size": 3}, b"abc", '"YWJj"'),
        ({"type": "map", "values": "float"}, {"a": 0.1}, '{"a":0.1}'),
        ({"type": "array", "items": ["null", "double"]}, [None, 1.5], "[null,1.5]"),
        (
            {"type": "array", "items": record("int") | {"name": "shop.Item"}},
            [{"field": 1}, {"field": 2}],
            '[{"field":1},{"field":2}]',
        ),
        (logical("long", "timestamp-millis"), INSTANT, str(INSTANT_MS)),
        (logical("long", "timestamp-micros"), INSTANT, str(INSTANT_MS)),
        (logical("long", "local-timestamp-millis"), INSTANT.replace(tzinfo=None), str(INSTANT_MS)),
        (logical("long", "local-timestamp-micros"), INSTANT.replace(tzinfo=None), str(INSTANT_MS)),
        (logical("int", "date"), datetime.date(2026, 11, 28), '"2026-11-28"'),
        (logical("int", "time-millis"), datetime.time(0, 0, 1), "1000"),
        (logical("bytes", "decimal", precision=40, scale=2), Decimal("-0.05"), "-0.05"),
        (
            logical("bytes", "decimal", precision=40, scale=20),
            Decimal("1" * 20 + "." + "1" * 20),
            "1" * 20 + "." + "1" * 20,
        ),
        (logical("bytes", "decimal", precision=4), Decimal(1250), "1250"),
        (logical("fixed", "decimal", precision=4, scale=2, size=4, name="Money"), Decimal("19.90"), "19.90"),
        (logical("string", "uuid"), UUID(int=5), '"00000000-0000-0000-0000-000000000005"'),
        (logical("long", "somebody-s-own"), 5, "5"),
        (logical("long", "wherewithal-micros"), 5000, "5000"),
    ],
)
def test_each_type_has_its_form(
    kind: Any,
    value: Any,
    expected: str,
) -> None:
    with localcontext(Context(prec=60)):
        encoded = avro_bytes(record(kind), {"field": value})
    assert read(record(kind), encoded) == b'{"field":%s}' % expected.encode()


def test_nanoseconds_are_cut_to_milliseconds() -> None:
    assert (
        read(record(logical("long", "timestamp-nanos")), avro_bytes(record("long"), {"field": -1})) == b'{"field":-1}'
    )


def test_an_id_of_16_bytes_is_text() -> None:
    found = read(record(logical("fixed", "uuid", size=16, name="Id")), UUID(int=5).bytes)
    assert found == b'{"field":"00000000-0000-0000-0000-000000000005"}'


def test_a_union_at_the_top_is_the_record_in_it() -> None:
    two = [record("int"), record("string") | {"name": "shop.Other"}]
    assert read(two, b"\x02" + avro_bytes(record("string"), {"field": "x"})) == b'{"field":"x"}'


def test_types_of_other_subjects_are_known_by_their_names() -> None:
    item, order = record("int"), record("shop.Event") | {"name": "shop.Order"}
    read_order = read("shop.Order", b"\x0a", shop_Event=json.dumps(item), shop_Order=json.dumps(order))
    assert read_order == b'{"field":{"field":5}}'


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(("kind", "form"), [("double", "<d"), ("float", "<f")])
def test_numbers_that_json_lacks_are_refused(kind: str, form: str, number: float) -> None:
    with pytest.raises(UnreadableValueError, match="NaN or an infinite number"):
        read(record(kind), struct.pack(form, number))


@pytest.mark.parametrize(
    ("schema", "encoded", "found"),
    [
        (record("int"), b"", "fewer bytes"),
        (record("string"), b"\x06ab", "fewer bytes"),
        (record("int"), b"\x02\x02", "more bytes behind it"),
        (record("int"), b"\x80" * 1000, "something else"),
        (record("string"), b"\x02\xff", "something else"),
        (record("string"), b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", "fewer bytes"),
        (record("string"), b"\x01", "fewer bytes"),
        (record(["null", "int"]), b"\x0a", "something else"),
        (record({"type": "enum", "name": "E", "symbols": ["A"]}), b"\x0a", "something else"),
        (record(logical("int", "date")), b"\xfe\xff\xff\xff\x0f", "something else"),
        (record(logical("bytes", "decimal", precision=4)), b"\x82\x02" + b"\x01" * 129, "decimals of 128 bytes"),
        (record({"type": "array", "items": "int"}), b"\xfe\xff\xff\xff\xff\xff\xff\xff\x1f\x02", "fewer bytes"),
        (record({"type": "map", "values": "null"}), b"\xfe\xff\xff\xff\xff\xff\xff\xff\x1f\x02a", "fewer bytes"),
        ({"type": "array", "items": "int"}, b"\x00", "a record or a map"),
        ("string", b"\x02a", "a record or a map"),
        ("null", b"", "a record or a map"),
    ],
)
def test_other_bytes_are_refused_in_words(schema: Any, encoded: bytes, found: str) -> None:
    with pytest.raises(UnreadableValueError, match=found):
        read(schema, encoded)


def test_types_within_themselves_are_read_as_deep_as_json_goes() -> None:
    found: Any = orjson.loads(read(NODE, b"\x02" * 40 + b"\x00"))
    depth = 0
    while found is not None:
        found, depth = found["next"], depth + 1
    assert depth == 41


@pytest.mark.parametrize("depth", [300, 10_000, 1_000_000])
def test_deeper_values_end_nothing_but_themselves(depth: int) -> None:
    with pytest.raises(UnreadableValueError, match="nests too deeply"):
        read(NODE, b"\x02" * depth + b"\x00")


def doubling(times: int, leaf: list[dict[str, str]]) -> list[Any]:
    """A union of types, each of which has the one before twice."""
    types: list[Any] = [{"type": "record", "name": "R0", "fields": leaf}]
    for place in range(1, times):
        fields = [{"name": name, "type": f"R{place - 1}"} for name in "ab"]
        types.append({"type": "record", "name": f"R{place}", "fields": fields})
    return types


def chained(times: int) -> list[Any]:
    types: list[Any] = [{"type": "record", "name": "R0", "fields": []}]
    for place in range(1, times):
        types.append({"type": "record", "name": f"R{place}", "fields": [{"name": "a", "type": f"R{place - 1}"}]})
    return types


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        ({"type": "array", "items": "null"}, "items that take none"),
        (record({"type": "array", "items": {"type": "record", "name": "No", "fields": []}}), "items that take none"),
        (record({"type": "array", "items": {"type": "fixed", "name": "No", "size": 0}}), "items that take none"),
        (doubling(60, []), "found one of more"),
        (doubling(60, [{"name": "a", "type": "int"}]), "found one of more"),
        (chained(5000), "deeper nesting"),
        ("[" * 5000, "deeper nesting"),
        ("", "another"),
        ("{", "a schema in JSON"),
        ("{}", "another"),
        ("[1]", "another"),
        ('{"type": "record", "name": "x", "fields": [1]}', "another"),
        ('{"type": "record", "name": "x", "fields": [{"name": "a", "type": "absent.Type"}]}', "another"),
        ('{"type": "enum", "name": "x", "symbols": 5}', "another"),
        (record(logical("bytes", "decimal", precision=4, scale=-1)), "scale"),
        (record(logical("bytes", "decimal", precision=4, scale="2")), "scale"),
    ],
)
def test_schemas_that_let_few_bytes_become_much_and_those_that_are_none_are_refused(schema: Any, found: str) -> None:
    with pytest.raises(UnreadableSchemaError, match=found):
        read(schema, b"\x00" * 20)
