"""Values of Protobuf become JSON, each type in the form that docs/encodings.md names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.encoded import framed

from streams.encodings.exceptions import UnreadableSchemaError, UnreadableValueError
from streams.encodings.protobuf import protobuf_reader
from streams.encodings.schema import Kind, Schema

ITEM: Final = 'syntax = "proto3"; package common; message Item { string item_id = 1; uint64 stock = 2; }'
TEXT: Final = """
syntax = "proto3";
package shop;
import "common/item.proto";
import "confluent/meta.proto";
import "confluent/type/decimal.proto";
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "google/type/money.proto";

enum Kind { KIND_UNSPECIFIED = 0; VIEW = 1; }
message Event {
  string user_id = 1;
  int64 at = 2;
  google.protobuf.Timestamp seen = 3;
  Kind kind = 4;
  float price = 5;
  double rate = 6;
  repeated common.Item items = 7;
  map<string, int64> counts = 8;
  map<bool, Kind> kinds = 9;
  bytes raw = 10;
  google.protobuf.DoubleValue wrapped = 11;
  google.protobuf.FloatValue narrow = 12;
  google.protobuf.Struct free = 13;
  Event within = 14;
  google.type.Money money = 15;
  optional int32 maybe = 16;
  oneof one { string text = 17; int32 number = 18; }
  confluent.type.Decimal amount = 19 [(confluent.field_meta).doc = "of the order"];
  google.protobuf.Any any = 20;
  google.protobuf.Duration lasted = 21;
  repeated double rates = 22;
  message Inner { int32 x = 1; message Deep { int32 y = 1; } }
}
message Other { string z = 1; }
"""


def reader_of(text: str, **references: str) -> Any:
    """The reader of a schema; in the names of references `__` stands for a slash, and `.proto` is left out."""
    named = {f"{name.replace('__', '/')}.proto": of for name, of in references.items()}
    return asyncio.run(protobuf_reader(Schema(7, Kind.PROTOBUF, text, named)))


@pytest.fixture(scope="module")
def read() -> Any:
    return reader_of(TEXT, common__item=ITEM)


@pytest.fixture(scope="module")
def event(read: Any) -> Callable[..., Any]:
    """Make an event, a message of the first type."""
    return read._class_of(read._messages[0])


def value_of(message: Any) -> bytes:
    return framed(7, b"\x00" + message.SerializeToString())


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "{}"),
        ({"user_id": "Füße", "at": 2**63 - 1}, '{"user_id":"Füße","at":9223372036854775807}'),
        ({"seen": {"seconds": 1, "nanos": 999_999}}, '{"seen":1000}'),
        ({"seen": {"seconds": -1, "nanos": 999_000_000}}, '{"seen":-1}'),
        ({"kind": 1}, '{"kind":"VIEW"}'),
        ({"kind": 7}, '{"kind":7}'),
        ({"price": 19.99, "rate": 19.99}, '{"price":19.99,"rate":19.99}'),
        ({"rates": [0.5, 1.0]}, '{"rates":[0.5,1.0]}'),
        (
            {"items": [{"item_id": "a", "stock": 2**64 - 1}, {}]},
            '{"items":[{"item_id":"a","stock":18446744073709551615},{}]}',
        ),
        ({"counts": {"a": 0}}, '{"counts":{"a":0}}'),
        ({"kinds": {True: 1}}, '{"kinds":{"true":"VIEW"}}'),
        ({"raw": b"\xff\x00"}, '{"raw":"/wA="}'),
        ({"wrapped": {"value": 0.0}, "narrow": {"value": 0.1}}, '{"wrapped":0.0,"narrow":0.1}'),
        ({"within": {"within": {"user_id": "a"}}}, '{"within":{"within":{"user_id":"a"}}}'),
        ({"money": {"units": 5, "currency_code": "EUR"}}, '{"money":{"currency_code":"EUR","units":5}}'),
        ({"maybe": 0}, '{"maybe":0}'),
        ({"number": 0}, '{"number":0}'),
        ({"amount": {"value": b"\x01\x00", "scale": 2}}, '{"amount":2.56}'),
        ({"lasted": {"seconds": 90}}, '{"lasted":"90s"}'),
    ],
)
def test_each_type_has_its_form(read: Any, event: Any, fields: dict[str, Any], expected: str) -> None:
    assert read(value_of(event(**fields))).decode() == expected


def test_free_structures_are_the_json_that_they_are(read: Any, event: Any) -> None:
    message = event()
    message.free.update({"a": [1, None, {"b": "c"}], "d": True})
    assert orjson.loads(read(value_of(message))) == {"free": {"a": [1, None, {"b": "c"}], "d": True}}


@pytest.mark.parametrize(
    ("indexes", "encoded", "expected"),
    [
        (b"\x02\x02", b"\x0a\x01q", b'{"z":"q"}'),
        (b"\x02\x00", b"\x0a\x01q", b'{"user_id":"q"}'),
        (b"\x06\x00\x04\x00", b"\x08\x05", b'{"y":5}'),
    ],
)
def test_indexes_name_the_message(read: Any, indexes: bytes, encoded: bytes, expected: bytes) -> None:
    # The entries of its two maps are the first types that are declared within an event.
    assert read(framed(7, indexes + encoded)) == expected


@pytest.mark.parametrize(
    ("rest", "found"),
    [
        (b"", "message indexes"),
        (b"\x02\x06", "another place"),
        (b"\x02\x01", "another place"),
        (b"\x04\x00\x20", "another place"),
        (b"\x04\x00\x00", "a map's entries"),
        (b"\x00\xff", "something else"),
        (b"\x00" + b"\x80" * 100, "something else"),
        (b"\x00\x0a\x02\xff\xfe", "something else"),
        (b"\x00\x0a\xff\xff\xff\xff\x0f", "something else"),
    ],
)
def test_other_bytes_are_refused_in_words(read: Any, rest: bytes, found: str) -> None:
    with pytest.raises(UnreadableValueError, match=found):
        read(framed(7, rest))


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"rate": float("nan")}, "NaN"),
        ({"price": float("inf")}, "NaN"),
        ({"wrapped": {"value": float("-inf")}}, "NaN"),
        ({"amount": {"value": b"\x01", "scale": 2**31 - 1}}, "decimals"),
        ({"amount": {"value": b"\x01" * 1000}}, "decimals"),
        ({"any": {"type_url": "type.googleapis.com/no.Such", "value": b"x"}}, "a form in JSON"),
        ({"lasted": {"seconds": 2**62}}, "a form in JSON"),
    ],
)
def test_what_json_lacks_is_refused(read: Any, event: Any, fields: dict[str, Any], found: str) -> None:
    with pytest.raises(UnreadableValueError, match=found):
        read(value_of(event(**fields)))


def nested(depth: int) -> bytes:
    """The bytes of an event within an event, and so on."""
    encoded = b""
    for _ in range(depth):
        length, rest = b"", len(encoded)
        while rest > 0x7F:
            length, rest = length + bytes([rest & 0x7F | 0x80]), rest >> 7
        encoded = b"\x72" + length + bytes([rest]) + encoded
    return encoded


def test_deep_values_are_refused_where_the_runtime_ends(read: Any) -> None:
    assert read(framed(7, b"\x00" + nested(60))).startswith(b'{"within":' * 60)
    with pytest.raises(UnreadableValueError, match="something else"):
        read(framed(7, b"\x00" + nested(2000)))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(read: Any, rest: bytes) -> None:
    try:
        found = read(framed(7, rest))
    except UnreadableValueError as error:
        found = str(error).encode()
    assert found.startswith((b"{", b"expected"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("message", "does not compile"),
        ('syntax = "proto3"; import "no/such.proto";', "no/such.proto: File not found"),
        ("message A {" * 2000 + "}" * 2000, "recursion limit"),
        ('syntax = "proto3"; message A { B b = 1; }', '"B" is not defined'),
        ('syntax = "proto3"; // \ud800', "imports that name files"),
    ],
)
def test_a_schema_that_is_none_is_refused_in_words(text: str, found: str) -> None:
    with pytest.raises(UnreadableSchemaError, match=found):
        reader_of(text)


def test_a_long_chain_of_types_is_refused() -> None:
    chain = " ".join(f"message M{place} {{ M{place + 1} a = 1; }}" for place in range(3000))
    with pytest.raises(UnreadableSchemaError, match="fewer types within each other"):
        reader_of(f'syntax = "proto3"; {chain} message M3000 {{}}')


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside", "a/../../outside", "wherewithal-root"])
def test_imports_stay_within_their_folder(name: str) -> None:
    with pytest.raises(UnreadableSchemaError, match="imports"):
        reader_of(TEXT, **{name: ITEM})


def test_what_a_registry_has_under_well_known_names_is_not_taken() -> None:
    false = 'syntax = "proto3"; package google.protobuf; message Timestamp { string seconds = 1; }'
    text = 'syntax = "proto3"; import "google/protobuf/timestamp.proto"; message A { google.protobuf.Timestamp t = 1; }'
    read = reader_of(text, google__protobuf__timestamp=false)
    assert read(framed(7, b"\x00\x0a\x02\x08\x05")) == b'{"t":5000}'


def test_a_type_that_only_has_a_well_known_name_is_a_message() -> None:
    read = reader_of('syntax = "proto3"; package google.protobuf; message Timestamp { string seconds = 1; }')
    assert read(framed(7, b"\x00\x0a\x01a")) == b'{"seconds":"a"}'
