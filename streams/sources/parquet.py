"""Parquet files of events.

A file has one row per event: either the columns `topic`, `value` (JSON, text or bytes) and perhaps `key`, or the fields
of the events. If it has `kafka_timestamp` (ms or a timestamp), an event too far ahead of its record is rejected, as the
worker rejected it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, Final

from streams.exceptions import ConfigurationError
from streams.sources.exceptions import UnreadableError
from streams.sources.recognising import PARQUET_MAGIC
from streams.sources.unpacking import Progress

PARQUET: Final = ".parquet"
ROWS_AT_ONCE: Final = 10_000

_FIRST_MS: Final = -62_135_596_800_000
"""The first and the last instant (ms) that Python's dates hold."""
_LAST_MS: Final = 253_402_300_799_999


def is_parquet(path: Path) -> bool:
    """Tell whether a file begins as Parquet does.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC
    except OSError as error:
        raise ConfigurationError(f"{path}: expected a file that can be read, found {error.strerror}") from error


def columns_of(path: Path) -> list[str]:
    """Return the names of a file's columns.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    file = _parquet(path)
    try:
        names: list[str] = file.schema_arrow.names
    except _damages() as error:
        raise _none_that_reads(path) from error
    return names


def unpacked_bytes(path: Path) -> int:
    """Return the size of a file's rows in bytes, decompressed."""
    metadata = _parquet(path).metadata
    return sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))


def read_parquet(
    path: Path, timezone: tzinfo | None = None, progress: Progress | None = None
) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Yield a file's rows by column, each with its number; a row is None if Python cannot hold its values.

    Timestamps are epoch ms, and times without a zone are of `timezone`, or UTC. Finer fractions are cut.

    Raises:
        ConfigurationError: the file is no Parquet.
        UnreadableError: while rows are taken: it is damaged.
    """
    file = _parquet(path)
    size, told, number, total = path.stat().st_size, 0, 0, max(1, file.metadata.num_rows)
    try:
        for batch in file.iter_batches(ROWS_AT_ONCE):
            for row in _rows(_in_milliseconds(batch, timezone)):
                number += 1
                yield number, row
            if progress is not None:
                progress(size * number // total - told)
                told = size * number // total
    except _damages() as error:
        raise UnreadableError("expected a Parquet file that can be read, found a damaged one") from error
    if progress is not None:
        progress(size - told)


def milliseconds(value: Any) -> Any:
    """Return a timestamp of Parquet in epoch ms (without a zone it is UTC), and any other value unchanged."""
    if not isinstance(value, datetime):
        return value
    aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    since = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def _in_milliseconds(batch: Any, timezone: tzinfo | None) -> Any:
    """Return a batch whose columns of timestamps are integers; Python's own hold neither every year nor nanoseconds."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = []
    for column in batch.columns:
        if pa.types.is_timestamp(column.type):
            zone = column.type.tz
            per_ms = {"s": 1000, "ms": 1, "us": -1000, "ns": -1_000_000}[column.type.unit]
            numbers = column.cast(pa.int64())
            column = pc.multiply(numbers, per_ms) if per_ms > 0 else _floored(numbers, -per_ms)
            if zone is None and timezone is not None:
                column = pa.array([_local(instant, timezone) for instant in column.to_pylist()], pa.int64())
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _floored(numbers: Any, divisor: int) -> Any:
    import pyarrow.compute as pc

    quotient = pc.divide(numbers, divisor)
    # Arrow rounds towards zero.
    below = pc.less(pc.subtract(numbers, pc.multiply(quotient, divisor)), 0)
    return pc.if_else(below, pc.subtract(quotient, 1), quotient)


def _local(instant: int | None, timezone: tzinfo) -> int | None:
    if instant is None or not _FIRST_MS <= instant <= _LAST_MS:
        return instant
    wall = datetime.fromtimestamp(instant // 1000, UTC).replace(tzinfo=timezone)
    try:
        return int(wall.timestamp()) * 1000 + instant % 1000
    except (OverflowError, ValueError):
        return instant


def _rows(batch: Any) -> Iterator[dict[str, Any] | None]:
    import pyarrow as pa

    beyond = (ValueError, OverflowError, pa.ArrowException)
    try:
        rows = batch.to_pylist()
    except beyond:
        # Text that is no UTF-8, or a time that Python cannot hold, in one row at least.
        rows = None
    if rows is not None:
        yield from rows
        return
    for place in range(batch.num_rows):
        try:
            yield batch.slice(place, 1).to_pylist()[0]
        except beyond:
            yield None


def _parquet(path: Path) -> Any:
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path)
    except _damages() as error:
        raise _none_that_reads(path) from error


def _none_that_reads(path: Path) -> ConfigurationError:
    return ConfigurationError(f"{path}: expected a Parquet file, found none that reads")


def _damages() -> tuple[type[Exception], ...]:
    """Return what Arrow raises about a damaged file; names that are no UTF-8 among it."""
    import pyarrow as pa

    return OSError, ValueError, pa.ArrowException
