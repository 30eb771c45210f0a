"""Rows as Parquet holds them: the columns of all Feast views of an entity, named as the views name them.

pyarrow comes with Feast and costs a third of a second to import, so it is imported late.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from features.online.rows import Row
from features.online.user_views import USERS
from features.online.views import Column, Kind, Serving
from features.text_sum import PROFILE_WIDTH

OFFLINE_FOLDER: Final = "offline"
"""The Parquet parts of the training rows, under the folder of the Feast repository."""

ITEMS_FOLDER: Final = "offline_items"
"""Those of the rows of items."""

TIMESTAMP_FIELD: Final = "event_timestamp"
"""The column of the parts that holds T, a UTC timestamp; Feast joins by it."""


def view_schema(serving: Serving[Any] = USERS) -> Any:
    """Return the Arrow schema: the key, then each feature of the views once, in their order."""
    import pyarrow as pa

    types = {
        Kind.INT64: pa.int64(),
        Kind.FLOAT64: pa.float64(),
        Kind.STRING: pa.string(),
        Kind.FLOAT32_ARRAY: pa.list_(pa.float32()),
    }
    kinds = {feature.name: feature.kind for view in serving.views for feature in view.features}
    return pa.schema([(serving.join_key, pa.string()), *((name, types[kind]) for name, kind in kinds.items())])


def view_table(rows: Sequence[Row], serving: Serving[Any] = USERS) -> Any:
    """Return rows as an Arrow table of `view_schema`."""
    import pyarrow as pa

    schema = view_schema(serving)
    features = [feature for view in serving.views for feature in view.features]
    found: dict[str, Any] = {serving.join_key: [row.key for row in rows]}
    for feature, column in zip(features, serving.columns(rows) or [()] * len(features), strict=True):
        found[feature.name] = _vectors(column) if feature.kind is Kind.FLOAT32_ARRAY else column
    return pa.table({field.name: pa.array(found[field.name], field.type) for field in schema}, schema=schema)


def _vectors(column: Column) -> Any:
    """Return vectors, each 64 little-endian float32 as bytes, as an Arrow array of lists."""
    import pyarrow as pa

    floats = np.frombuffer(b"".join(column), "<f4")
    starts = np.arange(0, floats.size + 1, PROFILE_WIDTH, dtype=np.int32)
    return pa.ListArray.from_arrays(starts, pa.array(floats, pa.float32()))


def offline_table(rows: Sequence[Row], serving: Serving[Any] = USERS) -> Any:
    """Return rows as an Arrow table that Feast's offline store reads: `view_table`, and T as a UTC timestamp."""
    import pyarrow as pa

    instants = pa.array([row.event_time for row in rows], pa.timestamp("ms", tz="UTC"))
    return view_table(rows, serving).append_column(TIMESTAMP_FIELD, instants)


def absent_columns(folder: Path, wanted: Collection[str], serving: Serving[Any] = USERS) -> list[str]:
    """Return which of the wanted columns a part in a folder lacks, in the order of `view_schema`.

    Empty if there is no such folder. It reads the footer of each part.
    """
    import pyarrow.parquet as pq

    absent: set[str] = set()
    for part in sorted(folder.glob("*.parquet")):
        absent |= set(wanted).difference(pq.read_schema(part).names)
    return [name for name in view_schema(serving).names if name in absent]
