"""The three kinds of schema, as Confluent's own serializers write values of them, against a real registry."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from support.encoded import framed
from support.servers.registry import Registry

from streams.encodings.encoding import Encoding
from streams.encodings.reading import ValueReader, open_values
from streams.records.rejection import Rejection
from streams.settings import load_settings

ITEM = {"type": "record", "name": "shop.Item", "fields": [{"name": "item_id", "type": "string"}]}
VIEW = {
    "type": "record",
    "name": "shop.View",
    "fields": [
        {"name": "user_id", "type": "string"},
        {"name": "timestamp", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "item", "type": ["null", "shop.Item"]},
    ],
}


@pytest.fixture
def values(schema_registry: Registry) -> ValueReader:
    return open_values(load_settings(schema_registry_url=schema_registry.url), Encoding.CONFLUENT)


@pytest.fixture
def client(schema_registry: Registry) -> SchemaRegistryClient:
    return SchemaRegistryClient({"url": schema_registry.url})


def written(serializer: Callable[..., bytes | None], value: Any, topic: str) -> bytes:
    found = serializer(value, SerializationContext(topic, MessageField.VALUE))
    assert found is not None
    return found


async def test_avro_with_a_type_of_another_subject(
    schema_registry: Registry, client: SchemaRegistryClient, values: ValueReader
) -> None:
    schema_registry.add("avro-item", json.dumps(ITEM))
    schema = Schema(json.dumps(VIEW), "AVRO", [SchemaReference("shop.Item", "avro-item", 1)])
    view = {"user_id": "u", "timestamp": 1795854600123, "item": {"item_id": "i"}}
    value = written(AvroSerializer(client, schema), view, "avro-views")
    assert await values.read([value]) == [b'{"user_id":"u","timestamp":1795854600123,"item":{"item_id":"i"}}']


async def test_json_schema(client: SchemaRegistryClient, values: ValueReader) -> None:
    text = json.dumps({"$schema": "http://json-schema.org/draft-07/schema#", "title": "View", "type": "object"})
    value = written(JSONSerializer(text, client), {"user_id": "u"}, "json-views")
    assert await values.read([value]) == [b'{"user_id":"u"}']


async def test_protobuf_with_an_import_of_another_subject(schema_registry: Registry, values: ValueReader) -> None:
    schema_registry.add("proto-item", 'syntax = "proto3"; package shop; message Item { string id = 1; }', "PROTOBUF")
    text = """
    syntax = "proto3";
    package shop;
    import "shop/item.proto";
    import "google/protobuf/timestamp.proto";
    message Other { int32 n = 1; }
    message View { string user_id = 1; google.protobuf.Timestamp timestamp = 2; repeated shop.Item items = 3; }
    """
    schema_id = schema_registry.add("proto-views", text, "PROTOBUF", [("shop/item.proto", "proto-item")])
    value = framed(schema_id, b"\x02\x02" + b"\x0a\x01u" + b"\x12\x02\x08\x05" + b"\x1a\x03\x0a\x01i")
    assert await values.read([value]) == [b'{"user_id":"u","timestamp":5000,"items":[{"id":"i"}]}']


async def test_an_id_that_it_does_not_have(values: ValueReader) -> None:
    [found] = await values.read([framed(987_654, b"\x02")])
    assert isinstance(found, Rejection)
    assert found.detail == "record: schema 987654: expected it in the registry, found none"
