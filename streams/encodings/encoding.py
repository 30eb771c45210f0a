"""The encodings of values, by name."""

from __future__ import annotations

from enum import StrEnum


class Encoding(StrEnum):
    """How the values of a topic are encoded."""

    AUTO = "auto"
    """By the first byte of each: 0 is the wire format of Confluent, which no JSON text begins with."""

    JSON = "json"
    """Every value is a JSON text."""

    CONFLUENT = "confluent"
    """Every value is in the wire format of Confluent: Avro, JSON Schema or Protobuf, by a schema registry."""
