"""The parts of a log of what was served, whichever entity it is of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from streams.exceptions import ConfigurationError
from streams.telemetry.served_log import PART_SUFFIX, SHARE

ROWS_AT_ONCE: Final = 5000
"""Rows of a part that are read together."""


def log_parts(log: Path) -> list[Path]:
    """Return the parts of a log, a folder or one part.

    Raises:
        ConfigurationError: there are no parts.
    """
    parts = sorted(log.glob(f"*{PART_SUFFIX}")) if log.is_dir() else [log] if log.is_file() else []
    if not parts:
        raise ConfigurationError(f"{log}: expected the folder of WHEREWITHAL_SERVED_LOG with its parts, found none")
    return parts


def sampled_share(parts: Sequence[Path]) -> float:
    """Return the least share of keys that a part samples. These keys are in every part.

    Raises:
        ConfigurationError: a part does not name its share.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    shares = []
    for part in parts:
        try:
            shares.append(float((pq.read_schema(part).metadata or {})[SHARE]))
        except (OSError, KeyError, ValueError, pa.ArrowException) as error:
            raise ConfigurationError(f"{part}: expected a part of the log of what was served, found none") from error
    return min(shares)
