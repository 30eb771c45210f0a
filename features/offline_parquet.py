"""Rows as Parquet holds them: the columns of all Feast views, named as the views name them.

pyarrow comes with Feast and costs a third of a second to import, so it is imported late.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from features.online.layout import JOIN_KEY, VIEWS, Kind, columns
from features.online.rows import OnlineRow
from features.users.catalogue import PROFILE_WIDTH

OFFLINE_FOLDER: Final = "offline"
"""The Parquet parts of the training rows, under the folder of the Feast repository."""

TIMESTAMP_FIELD: Final = "event_timestamp"
"""The column of the parts that holds T, a UTC timestamp; Feast joins by it."""


def view_schema() -> Any:
    """Return the Arrow schema: `user_id`, then each feature of the views once, in their order."""
    import pyarrow as pa

    types = {
        Kind.INT64: pa.int64(),
        Kind.FLOAT64: pa.float64(),
        Kind.STRING: pa.string(),
        Kind.FLOAT32_ARRAY: pa.list_(pa.float32()),
    }
    kinds = {feature.name: feature.kind for view in VIEWS for feature in view.features}
    return pa.schema([(JOIN_KEY, pa.string()), *((name, types[kind]) for name, kind in kinds.items())])


def view_table(rows: Sequence[OnlineRow]) -> Any:
    """Return rows as an Arrow table of `view_schema`."""
    import pyarrow as pa

    schema = view_schema()
    names = [feature.name for view in VIEWS for feature in view.features]
    found: dict[str, Any] = dict(zip(names, columns(rows) or [()] * len(names), strict=True))
    found[JOIN_KEY] = [row.user_id for row in rows]
    for name, joined in (
        ("profile_vector", b"".join(row.profile for row in rows)),
        ("taste_vector", b"".join(row.taste for row in rows)),
    ):
        floats = np.frombuffer(joined, "<f4")
        starts = np.arange(0, floats.size + 1, PROFILE_WIDTH, dtype=np.int32)
        found[name] = pa.ListArray.from_arrays(starts, pa.array(floats, pa.float32()))
    return pa.table({field.name: pa.array(found[field.name], field.type) for field in schema}, schema=schema)


def offline_table(rows: Sequence[OnlineRow]) -> Any:
    """Return rows as an Arrow table that Feast's offline store reads: `view_table`, and T as a UTC timestamp."""
    import pyarrow as pa

    instants = pa.array([row.event_time for row in rows], pa.timestamp("ms", tz="UTC"))
    return view_table(rows).append_column(TIMESTAMP_FIELD, instants)


def absent_columns(folder: Path, wanted: Collection[str]) -> list[str]:
    """Return which of the wanted columns a part in a folder lacks, in the order of `view_schema`.

    Empty if there is no such folder. It reads the footer of each part.
    """
    import pyarrow.parquet as pq

    absent: set[str] = set()
    for part in sorted(folder.glob("*.parquet")):
        absent |= set(wanted).difference(pq.read_schema(part).names)
    return [name for name in view_schema().names if name in absent]
