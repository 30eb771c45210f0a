"""Values as a shop's serializers write them."""

from __future__ import annotations

import io
from typing import Any

import fastavro


def framed(schema_id: int, encoded: bytes) -> bytes:
    """A value in the wire format of Confluent."""
    return b"\x00" + schema_id.to_bytes(4, "big") + encoded


def avro_bytes(schema: Any, value: Any) -> bytes:
    """A value as fastavro writes it, without a header."""
    file = io.BytesIO()
    fastavro.schemaless_writer(file, fastavro.parse_schema(schema), value)
    return file.getvalue()
