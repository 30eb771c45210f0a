"""The instants at which a history is folded: given ones, regular ones, or those of an entity data frame."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from features.tiles import DAY, HOUR
from streams.contract import HORIZON
from streams.exceptions import ConfigurationError
from streams.records.timestamps import parse_rfc3339
from streams.sources.parquet import PARQUET, is_parquet, milliseconds

# Feast reads timestamps in nanoseconds, and 64 bits of those end here.
EARLIEST: Final = parse_rfc3339("1678-01-01T00:00:00Z")
LATEST: Final = parse_rfc3339("2262-01-01T00:00:00Z")

MAX_INSTANTS: Final = 100_000
"""The largest number of instants of a regular step. A step that gives more is most likely a wrong unit."""

SUITING_STEPS: Final = (30 * DAY, 7 * DAY, DAY)
"""The steps to choose among: at the first, the 30 days after one instant end where those of the next begin."""

LEAST_INSTANTS: Final = 6
"""Instants with a known outcome that a step has to leave, so that later ones can be set apart from earlier ones."""

_FORM: Final = "epoch milliseconds or RFC 3339 text with an offset"
_INTEGER: Final = re.compile("-?[0-9]{1,18}")
_STEP: Final = re.compile("([1-9][0-9]{0,5})([hd])")
_TIMES: Final = ("timestamp", "event_timestamp")


def is_entity_file(text: str) -> bool:
    """Tell whether `--at` names a file of users and instants instead of instants."""
    return Path(text).suffix.lower() in (PARQUET, ".csv")


def parse_instants(text: str) -> list[int]:
    """Return the instants (ms, rising) of a comma-separated list.

    Raises:
        ConfigurationError: an entry is no instant.
    """
    return sorted({_instant("--at", part.strip()) for part in text.split(",")})


def parse_step(text: str) -> int:
    """Return a step such as `30d` or `12h` in ms.

    Raises:
        ConfigurationError: the text is no such step.
    """
    found = _STEP.fullmatch(text)
    if found is None:
        raise ConfigurationError(f"--every: expected a number of days or hours such as 30d or 12h, found {text!r}")
    return int(found[1]) * (DAY if found[2] == "d" else HOUR)


def regular(step: int, oldest: int, newest: int) -> list[int]:
    """Return the multiples of a step since the epoch that lie within a history, all in ms.

    These instants do not move as a history grows, so the rows of earlier runs stay valid.

    Raises:
        ConfigurationError: there are more than `MAX_INSTANTS`.
    """
    instants = range(-(-oldest // step) * step, newest + 1, step)
    if len(instants) > MAX_INSTANTS:
        raise ConfigurationError(f"--every: expected at most {MAX_INSTANTS:,} instants, found more: use a longer step")
    return list(instants)


def suiting_step(oldest: int, newest: int) -> int:
    """Return the longest step that leaves enough instants whose 30 days a history covers; else the shortest, in ms."""
    for step in SUITING_STEPS:
        if len(covered(step, oldest, newest)) >= LEAST_INSTANTS:
            return step
    return SUITING_STEPS[-1]


def covered(step: int, oldest: int, newest: int) -> list[int]:
    """Return the regular instants whose 30 days a history covers, in ms.

    Raises:
        ConfigurationError: there are more than `MAX_INSTANTS`.
    """
    return regular(step, oldest, newest - HORIZON)


def read_entities(path: Path, key: str = "user_id") -> Iterator[tuple[str, int]]:
    """Yield the (user, instant in ms) rows of a Parquet or CSV file with the columns `user_id` and `timestamp`.

    Feast's name `event_timestamp` is accepted for `timestamp`. With `key` `item_id`, they are rows of items.

    Raises:
        ConfigurationError: no such file, columns or instants.
    """
    for number, (name, value) in enumerate(_parquet(path, key) if is_parquet(path) else _csv(path, key), 1):
        if not isinstance(name, str):
            raise ConfigurationError(f"{path}: expected a text as `{key}`, found none in row {number}")
        yield name, _instant(f"{path}, row {number}", milliseconds(value))


def _parquet(path: Path, key: str) -> Iterator[tuple[Any, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        time = _time_column(path, key, file.schema_arrow.names)
        for batch in file.iter_batches(columns=[key, time]):
            yield from zip(batch[key].to_pylist(), batch[time].to_pylist(), strict=True)
    except (OSError, pa.ArrowException) as error:
        raise ConfigurationError(
            f"{path}: expected a Parquet file of {_plural(key)} and instants, found none"
        ) from error


def _csv(path: Path, key: str) -> Iterator[tuple[Any, Any]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            time = _time_column(path, key, rows.fieldnames or ())
            yield from ((row[key], row[time]) for row in rows)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(f"{path}: expected a CSV file of {_plural(key)} and instants, found none") from error


def _time_column(path: Path, key: str, names: Any) -> str:
    time = next((name for name in _TIMES if name in names), None)
    if time is None or key not in names:
        raise ConfigurationError(f"{path}: expected the columns `{key}` and `timestamp`, found others")
    return time


def _plural(key: str) -> str:
    return f"{key.removesuffix('_id')}s"


def _instant(where: str, value: object) -> int:
    try:
        if isinstance(value, str):
            value = int(value) if _INTEGER.fullmatch(value) else parse_rfc3339(value)
    except ValueError as error:
        raise ConfigurationError(f"{where}: expected {_FORM}, found another form") from error
    if not isinstance(value, int) or not EARLIEST <= value < LATEST:
        raise ConfigurationError(f"{where}: expected {_FORM} in the years 1678 to 2261, found another instant")
    return value
