"""Rows for the online store, and the same rows in the two forms that Feast's own writers take."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import FloatList, Value

from features.online.rows import OnlineRow
from features.online.user_views import VIEWS, columns
from features.online.views import Kind
from features.users.catalogue import SCALARS


def rows(users: int, version: int) -> list[OnlineRow]:
    """Return one row for each of so many users, one float in five null."""
    rng = random.Random(version)
    return [
        OnlineRow(
            user_id=f"shopper-{number:06d}",
            fence=(1, version, version),
            scalars=tuple(
                rng.randrange(500) if scalar.integer else None if rng.random() < 0.2 else rng.uniform(0, 1e3)
                for scalar in SCALARS
            ),
            event_time=1_764_000_000_000 + version,
            revision=version,
            profile=struct.pack("<64f", *(rng.uniform(-1, 1) for _ in range(64))),
            taste=struct.pack("<64f", *(rng.uniform(-1, 1) for _ in range(64))),
            titles_waiting=rng.randrange(5),
            encoder="all-MiniLM-L6-v2@0123456789ab",
            score=rng.uniform(0, 100),
            expected_spend=rng.uniform(0, 1000),
            tier=rng.choice(["low", "medium", "high", "premium"]),
            scorer="2026-11-23-a1b2c3",
        )
        for number in range(users)
    ]


def frames(batch: Sequence[OnlineRow]) -> list[pd.DataFrame]:
    """Return the three views of a batch as Feast takes them; this is not part of what is timed."""
    values = iter(columns(batch))
    now = pd.Timestamp.now(tz="UTC")
    made = []
    for view in VIEWS:
        data: dict[str, Any] = {"user_id": [row.user_id for row in batch], "event_timestamp": now}
        for feature in view.features:
            column = list(next(values))
            if feature.kind is Kind.FLOAT32_ARRAY:
                column = [list(struct.unpack("<64f", vector)) for vector in column]
            data[feature.name] = pd.array(column, dtype="Int64") if feature.kind.name == "INT64" else column
        made.append(pd.DataFrame(data))
    return made


def messages(batch: Sequence[OnlineRow]) -> list[list[tuple[Any, ...]]]:
    """Return the three views of a batch as the protobuf messages that Feast's stores write."""
    values = iter(columns(batch))
    now = datetime.now(UTC)
    keys = [EntityKey(join_keys=["user_id"], entity_values=[Value(string_val=row.user_id)]) for row in batch]
    made = []
    for view in VIEWS:
        named = [(feature.name, [_value(feature.kind, value) for value in next(values)]) for feature in view.features]
        made.append([(key, {name: column[at] for name, column in named}, now, None) for at, key in enumerate(keys)])
    return made


def _value(kind: Kind, value: Any) -> Value:
    if value is None:
        return Value()
    if kind is Kind.INT64:
        return Value(int64_val=value)
    if kind is Kind.FLOAT64:
        return Value(double_val=value)
    if kind is Kind.STRING:
        return Value(string_val=value)
    return Value(float_list_val=FloatList(val=struct.unpack("<64f", value)))
