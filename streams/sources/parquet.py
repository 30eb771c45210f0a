"""Parquet files of events.

A Parquet file, known by its suffix, has one row per record: either the columns `topic`, `value` (JSON, text or bytes)
and perhaps `key`, or the columns `topic` and the fields of the events. If it has `kafka_timestamp` (ms or a timestamp),
an event too far ahead of its record is rejected, as the worker rejected it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from streams.exceptions import ConfigurationError
from streams.sources.arrived import Arrived
from streams.sources.shape import Shape

PARQUET: Final = ".parquet"
ROWS_AT_ONCE: Final = 10_000

_KAFKA_TIMESTAMP: Final = "kafka_timestamp"


def is_parquet(path: Path) -> bool:
    """Tell whether a file is read as Parquet."""
    return path.suffix == PARQUET


def check_parquet(path: Path) -> None:
    """Refuse a file without the columns of records.

    Raises:
        ConfigurationError: the file has none, or cannot be read.
    """
    names = _parquet(path).schema_arrow.names
    if "topic" not in names or not {"value", "user_id"} & set(names):
        raise ConfigurationError(
            f"{path}: expected the columns `topic` and `value` (JSON), or `topic` and the fields of the events "
            "(`user_id`, `event_id`, `timestamp` and so on), found others"
        )


def unpacked_bytes(path: Path) -> int:
    """Return the size of a file's rows in bytes, decompressed."""
    metadata = _parquet(path).metadata
    return sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))


def read_parquet(path: Path, shape: Shape) -> Iterator[Arrived]:
    """Yield the records of a file's rows, in their order.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    file = _parquet(path)
    import pyarrow as pa

    number = 0
    try:
        for batch in file.iter_batches(ROWS_AT_ONCE):
            for row in batch.to_pylist():
                number += 1
                arrived = milliseconds(row.pop(_KAFKA_TIMESTAMP, None))
                for record in shape(_line(row)):
                    yield Arrived(str(path), number, record, arrived if isinstance(arrived, int) else None)
    except (OSError, pa.ArrowException) as error:
        raise ConfigurationError(f"{path}: expected a Parquet file that can be read, found a damaged one") from error


def milliseconds(value: Any) -> Any:
    """Return a timestamp of Parquet in epoch ms (without a zone it is UTC), and any other value unchanged."""
    if not isinstance(value, datetime):
        return value
    aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    since = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def _line(row: dict[str, Any]) -> bytes:
    """Return a row as the equivalent NDJSON line, so that one parser decides what is a record."""
    topic = row.pop("topic")
    if "value" in row:
        value = _bytes(row["value"])
        if "key" in row:
            key = row["key"].decode(errors="replace") if isinstance(row["key"], bytes) else row["key"]
            return orjson.dumps({"topic": topic, "key": key, "raw_base64": b64encode(value).decode()})
        return orjson.dumps({"topic": topic, "value": orjson.Fragment(value or b"null")})
    fields = {name: _plain(name, value) for name, value in row.items() if value is not None}
    return orjson.dumps({"topic": topic, "value": fields})


def _bytes(value: str | bytes | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""


def _plain(name: str, value: Any) -> Any:
    # A column of integers with a null in it comes out of a data frame as floats.
    if isinstance(value, float) and value.is_integer() and name in ("quantity", "timestamp"):
        return int(value)
    return milliseconds(value)


def _parquet(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise ConfigurationError(f"{path}: expected a Parquet file, found none that reads") from error
