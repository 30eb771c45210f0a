"""What fastavro writes of any schema is read back, and any bytes are read or refused, never anything else."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.encoded import avro_bytes, framed

from streams.encodings.avro import avro_reader
from streams.encodings.exceptions import UnreadableSchemaError, UnreadableValueError
from streams.encodings.schema import Kind, Schema

_FINITE = st.floats(allow_nan=False, allow_infinity=False)
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_SIMPLE: dict[str, Any] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "double": _FINITE,
    "float": st.floats(width=32, allow_nan=False, allow_infinity=False),
    "bytes": st.binary(max_size=8),
    "string": _TEXT,
}


@st.composite
def typed(draw: st.DrawFn, depth: int = 3) -> tuple[Any, Any]:
    """A type, and values of it."""
    kinds = [*_SIMPLE, *(["array", "map", "record", "optional", "enum"] if depth else [])]
    kind = draw(st.sampled_from(kinds))
    if kind in _SIMPLE:
        return kind, _SIMPLE[kind]
    if kind == "enum":
        name = f"E{draw(st.uuids()).hex}"
        return {"type": "enum", "name": name, "symbols": ["A", "B"]}, st.sampled_from(["A", "B"])
    if kind == "record":
        return draw(records(depth - 1))
    inner, values = draw(typed(depth - 1))
    if kind == "optional":
        return (["null", inner], st.none() | values) if inner != "null" and type(inner) is not list else (inner, values)
    if kind == "map":
        return {"type": "map", "values": inner}, st.dictionaries(_TEXT, values, max_size=3)
    if inner == "null":
        inner, values = "int", _SIMPLE["int"]
    return {"type": "array", "items": inner}, st.lists(values, max_size=3)


@st.composite
def records(draw: st.DrawFn, depth: int = 3) -> tuple[Any, Any]:
    fields = draw(st.lists(typed(depth), min_size=1, max_size=4))
    schema = {
        "type": "record",
        "name": f"R{draw(st.uuids()).hex}",
        "fields": [{"name": f"f{place}", "type": kind} for place, (kind, _) in enumerate(fields)],
    }
    return schema, st.fixed_dictionaries({f"f{place}": values for place, (_, values) in enumerate(fields)})


def as_json(value: Any) -> Any:
    match value:
        case bytes():
            return b64encode(value).decode()
        case dict():
            return {name: as_json(inner) for name, inner in value.items()}
        case list():
            return [as_json(inner) for inner in value]
    return value


def same(found: Any, expected: Any) -> bool:
    """Whether two values are the same; of a float of 32 bits only as many digits are found as tell it from others."""
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(same(found[name], expected[name]) for name in expected)
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    if isinstance(expected, float):
        with np.errstate(over="ignore"):
            return expected in (found, float(np.float32(found)))
    return bool(found == expected)


def outcome(schema: Any, encoded: bytes) -> bytes | str:
    """The JSON of a value, or in words why there is none."""
    try:
        return avro_reader(Schema(1, Kind.AVRO, json.dumps(schema)))(framed(1, encoded))
    except (UnreadableSchemaError, UnreadableValueError) as error:
        return str(error)


@pytest.mark.parametrize("number", [1.5 * 2.0**-149, 2.0**-149, 5 * 2.0**-149, 16777217.0, 3.4028234663852886e38])
def test_every_float_of_32_bits_is_read_back_by_its_shortest_digits(number: float) -> None:
    single = float(np.float32(number))
    schema = {"type": "record", "name": "R", "fields": [{"name": "f", "type": "float"}]}
    found = json.loads(outcome(schema, avro_bytes(schema, {"f": number})))["f"]
    assert (float(np.float32(found)), found) == (single, float(str(np.float32(number))))


@settings(deadline=None)
@given(st.data())
def test_what_is_written_is_read_back(data: st.DataObject) -> None:
    schema, values = data.draw(records())
    value = data.draw(values)
    found = outcome(schema, avro_bytes(schema, value))
    # Records of nulls take no bytes, and arrays of them are refused.
    assert "items that take none" in found if isinstance(found, str) else same(orjson.loads(found), as_json(value))


@settings(deadline=None)
@given(st.data(), st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: st.DataObject, encoded: bytes) -> None:
    schema, _ = data.draw(records())
    found = outcome(schema, encoded)
    assert "expected" in found if isinstance(found, str) else type(orjson.loads(found)) is dict


_PARTS = ["type", "name", "fields", "items", "values", "symbols", "size", "logicalType", "scale", "precision"]
_LEAVES = st.none() | st.booleans() | st.integers() | _TEXT | st.sampled_from([*_SIMPLE, "record", "array", "decimal"])


@settings(deadline=None)
@given(
    st.recursive(
        _LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_PARTS), inner, max_size=4)
    )
)
def test_any_json_is_a_schema_or_is_refused(schema: Any) -> None:
    found = outcome(schema, b"\x00" * 8)
    assert "expected" in found if isinstance(found, str) else type(orjson.loads(found)) is dict
