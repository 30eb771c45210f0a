"""Each value becomes a JSON object or a rejection, whatever it is."""

from __future__ import annotations

import json
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.encoded import framed
from support.servers.fake_registry import FakeRegistry

from models.exceptions import MissingLibraryError
from streams.encodings.encoding import Encoding
from streams.encodings.reading import ValueReader, open_values
from streams.exceptions import ConfigurationError
from streams.records.rejection import Reason, Rejection
from streams.settings import MAX_RECORD_BYTES, load_settings

NUMBER = {"type": "record", "name": "shop.Number", "fields": [{"name": "n", "type": "int"}]}


@pytest.mark.parametrize("encoding", [Encoding.AUTO, Encoding.JSON])
async def test_json_needs_no_registry(encoding: Encoding) -> None:
    found = await open_values(load_settings(), encoding).read([b'{"a":1}', b' \n{"a":1}\r\n', b"{no json"])
    # The readers of events say what is wrong within.
    assert found == [b'{"a":1}', b'{"a":1}', b"{no json"]


@pytest.mark.parametrize(
    ("value", "reason", "found"),
    [
        (None, Reason.MALFORMED, "found nothing"),
        (b"", Reason.MALFORMED, "found nothing"),
        (b"[1]", Reason.MALFORMED, "expected a JSON object"),
        (b"   ", Reason.MALFORMED, "expected a JSON object"),
        (b"\xef\xbb\xbf{}", Reason.MALFORMED, "expected a JSON object"),
        (b"Obj\x01\x04\x16avro.schema", Reason.MALFORMED, "a file of Avro"),
        (b"\x00\x00\x00\x00\x01\x0a", Reason.MALFORMED, "set WHEREWITHAL_SCHEMA_REGISTRY_URL"),
        (b"{" + b" " * (8 << 20) + b"}", Reason.TOO_LARGE, f"at most {MAX_RECORD_BYTES} bytes"),
    ],
)
async def test_what_is_no_object_is_refused_in_words(value: bytes | None, reason: Reason, found: str) -> None:
    [rejection] = await open_values(load_settings(), Encoding.AUTO).read([value])
    assert isinstance(rejection, Rejection)
    assert rejection.reason is reason
    assert found in rejection.detail


async def test_the_first_byte_tells_encodings_apart(registry: FakeRegistry) -> None:
    schema_id = registry.add(json.dumps(NUMBER))
    own = load_settings(schema_registry_url=registry.url)
    values = [b'{"n":4}', framed(schema_id, b"\x0a")]
    assert await open_values(own, Encoding.AUTO).read(values) == [b'{"n":4}', b'{"n":5}']
    json_alone, _ = await open_values(own, Encoding.CONFLUENT).read(values)
    assert isinstance(json_alone, Rejection)
    _, framed_alone = await open_values(own, Encoding.JSON).read(values)
    assert isinstance(framed_alone, Rejection)


def test_the_wire_format_needs_a_registry() -> None:
    with pytest.raises(ConfigurationError, match="WHEREWITHAL_SCHEMA_REGISTRY_URL: expected the address"):
        open_values(load_settings(), Encoding.CONFLUENT)


def test_the_extra_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka.schema_registry", None)
    with pytest.raises(MissingLibraryError, match=r"pip install wherewithal\[registry\]"):
        open_values(load_settings(schema_registry_url="http://127.0.0.1:1"), Encoding.AUTO)


async def test_a_user_s_words_are_in_no_detail(registry: FakeRegistry) -> None:
    text = registry.add(
        json.dumps(NUMBER | {"fields": [{"name": "t", "type": "string"}, {"name": "n", "type": "int"}]})
    )
    proto = registry.add('syntax = "proto3"; message A { string t = 1; }', "PROTOBUF")
    document = registry.add("{}", "JSON")
    values = [
        framed(text, b"\x0csecret"),
        framed(text, b"\x0csecret\x02secret"),
        framed(proto, b"\x00secret"),
        framed(document, b"secret"),
        b"secret",
        b"\x00secret",
    ]
    own = load_settings(schema_registry_url=registry.url)
    for encoding in Encoding:
        for found in await open_values(own, encoding).read(values):
            assert isinstance(found, Rejection)
            assert "secret" not in found.detail


@pytest.fixture
def values(registry: FakeRegistry) -> ValueReader:
    """Reads of a registry that has a schema of Avro (1) and one of JSON (2)."""
    registry.add(json.dumps(NUMBER))
    registry.add('{"type": "object"}', "JSON")
    return open_values(load_settings(schema_registry_url=registry.url), Encoding.AUTO)


_BEGINNINGS = st.sampled_from([b"", b"\x00", b"\x00\x00\x00\x00\x01", b"\x00\x00\x00\x00\x02", b"{"])


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_values=st.lists(st.none() | st.builds(bytes.__add__, _BEGINNINGS, st.binary(max_size=30)), max_size=5))
async def test_any_values_are_read_or_refused(values: ValueReader, given_values: list[bytes | None]) -> None:
    found = await values.read(given_values)
    assert len(found) == len(given_values)
    for one in found:
        assert "expected" in one.detail if isinstance(one, Rejection) else one.startswith(b"{")
