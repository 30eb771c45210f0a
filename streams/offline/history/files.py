"""History files of a data scientist, read as the records that a worker would have received.

NDJSON lines are those of `replay`. A Parquet file, known by its suffix, has one row per record: either the columns
`topic`, `value` (JSON, text or bytes) and perhaps `key`, or the columns `topic` and the fields of the events. If it has
`kafka_timestamp` (ms or a timestamp), an event too far ahead of its record is rejected, as the worker rejected it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from streams.exceptions import ConfigurationError
from streams.records.ndjson import Record, RejectedLine, check_files, parse_line, read_lines

PARQUET: Final = ".parquet"
ROWS_AT_ONCE: Final = 10_000

_KAFKA_TIMESTAMP: Final = "kafka_timestamp"


class Arrived(NamedTuple):
    """A record or a rejected line, and its Kafka timestamp (ms) if the file has one."""

    record: Record | RejectedLine
    kafka_timestamp: int | None


def check_history(files: Sequence[Path]) -> None:
    """Refuse missing files, and Parquet files without the columns of records.

    Raises:
        ConfigurationError: there is such a file.
    """
    check_files(files)
    for path in files:
        if path.suffix == PARQUET:
            names = _parquet(path).schema_arrow.names
            if "topic" not in names or not {"value", "user_id"} & set(names):
                raise ConfigurationError(
                    f"{path}: expected the columns `topic` and `value` (JSON), or `topic` and the fields of the events "
                    "(`user_id`, `event_id`, `timestamp` and so on), found others"
                )


def plain_bytes(files: Sequence[Path]) -> int:
    """Return the size of files in bytes; that of Parquet is the decompressed size."""
    return sum(_plain_bytes(path) for path in files)


def read_history(files: Sequence[Path]) -> Iterator[Arrived]:
    """Yield the records of files, in their order.

    Raises:
        ConfigurationError: a file cannot be read.
    """
    for path in files:
        if path.suffix == PARQUET:
            yield from _read_parquet(path)
        else:
            for _, line in read_lines([path]):
                yield Arrived(parse_line(line), None)


def milliseconds(value: Any) -> Any:
    """Return a timestamp of Parquet in epoch ms (without a zone it is UTC), and any other value unchanged."""
    if not isinstance(value, datetime):
        return value
    aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    since = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def _plain_bytes(path: Path) -> int:
    if path.suffix != PARQUET:
        return path.stat().st_size
    metadata = _parquet(path).metadata
    return sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))


def _read_parquet(path: Path) -> Iterator[Arrived]:
    file = _parquet(path)
    import pyarrow as pa

    try:
        for batch in file.iter_batches(ROWS_AT_ONCE):
            for row in batch.to_pylist():
                arrived = milliseconds(row.pop(_KAFKA_TIMESTAMP, None))
                yield Arrived(parse_line(_line(row)), arrived if isinstance(arrived, int) else None)
    except (OSError, pa.ArrowException) as error:
        raise ConfigurationError(f"{path}: expected a Parquet file that can be read, found a damaged one") from error


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
