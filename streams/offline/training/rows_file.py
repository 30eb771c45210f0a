"""The file of training rows that `wherewithal history` writes and `wherewithal train --rows` reads: one Parquet.

One row per user and instant: `user_id` string, `instant` int64 (T, ms), every scalar under its own name (counts
int64, the rest float64, null when unset), `profile_vector` and `taste_vector` list<float> of 64, `revision` int64,
`encoder` string, and with targets `spend_30d_after` float64, null where the history does not cover the 30 days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.users.catalogue import NAMES, PROFILE_WIDTH, SCALARS
from features.users.row import Value
from streams.exceptions import ConfigurationError

FILE_NAME: Final = "training_rows.parquet"
"""The name of the file in the folder that `history` writes."""

USER: Final = "user_id"
INSTANT: Final = "instant"
PROFILE: Final = "profile_vector"
TASTE: Final = "taste_vector"
REVISION: Final = "revision"
ENCODER: Final = "encoder"
TARGET: Final = "spend_30d_after"


class TrainingRow(NamedTuple):
    """A user at an instant; `spend_after` is None if it is not known."""

    user_id: str
    instant: int
    scalars: tuple[Value, ...]
    profile: NDArray[np.float32]
    taste: NDArray[np.float32]
    revision: int
    encoder: str
    spend_after: float | None = None


@dataclass(frozen=True)
class TrainingRows:
    """The columns of a file.

    Attributes:
        users: n user ids.
        instants: int64[n], T in ms.
        values: float64[n, k], the scalars in the order of `features.users.catalogue.SCALARS`, NaN for null.
        profiles: float32[n, 64], the profile vectors.
        tastes: float32[n, 64], the taste vectors.
        revisions: int64[n].
        encoders: the sorted identities of the encoders behind the vectors; one, unless files were joined.
        spend_after: float64[n], money spent in the 30 days after, NaN for null; None in a file without targets.
    """

    users: list[str]
    instants: NDArray[np.int64]
    values: NDArray[np.float64]
    profiles: NDArray[np.float32]
    tastes: NDArray[np.float32]
    revisions: NDArray[np.int64]
    encoders: list[str]
    spend_after: NDArray[np.float64] | None


def schema(targets: bool) -> Any:
    """Return the Arrow schema of the file."""
    import pyarrow as pa

    fields = [pa.field(USER, pa.string(), nullable=False), pa.field(INSTANT, pa.int64(), nullable=False)]
    fields += [pa.field(scalar.name, pa.int64() if scalar.integer else pa.float64()) for scalar in SCALARS]
    fields += [
        pa.field(PROFILE, pa.list_(pa.float32())),
        pa.field(TASTE, pa.list_(pa.float32())),
        pa.field(REVISION, pa.int64()),
        pa.field(ENCODER, pa.string()),
    ]
    return pa.schema([*fields, pa.field(TARGET, pa.float64())] if targets else fields)


def to_table(rows: Sequence[TrainingRow], targets: bool) -> Any:
    """Return rows as an Arrow table of `schema(targets)`."""
    import pyarrow as pa

    scalars = list(zip(*(row.scalars for row in rows), strict=True)) if rows else [()] * len(SCALARS)
    columns = [[row.user_id for row in rows], [row.instant for row in rows], *scalars]
    columns += [[row.profile for row in rows], [row.taste for row in rows]]
    columns += [[row.revision for row in rows], [row.encoder for row in rows]]
    if targets:
        columns.append([row.spend_after for row in rows])
    shape = schema(targets)
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, shape, strict=True)], schema=shape)


def read_training_rows(path: Path) -> TrainingRows:
    """Read a file of training rows, or a folder that `history` wrote.

    Raises:
        ConfigurationError: there is no such file, or it lacks a column or holds another kind of value.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = path / FILE_NAME if path.is_dir() else path
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise ConfigurationError(f"{path}: expected a Parquet file of training rows, found none that reads") from error
    wanted = schema(TARGET in table.column_names)
    if missing := [name for name in wanted.names if name not in table.column_names]:
        raise ConfigurationError(
            f"{path}: expected the columns that `wherewithal history` writes, found no {', '.join(missing)}: "
            "fold the history again with this release"
        )
    try:
        table = table.select(wanted.names).cast(wanted)
        profiles, tastes = _vectors(table[PROFILE]), _vectors(table[TASTE])
    except (pa.ArrowException, ValueError) as error:
        raise ConfigurationError(
            f"{path}: expected the types that `wherewithal history` writes and {PROFILE_WIDTH} numbers in every "
            f"{PROFILE} and {TASTE}, found others"
        ) from error
    values = [_doubles(table[name]) for name in NAMES]
    return TrainingRows(
        users=table[USER].to_pylist(),
        instants=table[INSTANT].to_numpy(),
        values=np.column_stack(values),
        profiles=profiles,
        tastes=tastes,
        revisions=table[REVISION].to_numpy(),
        encoders=sorted(table[ENCODER].unique().to_pylist()),
        spend_after=_doubles(table[TARGET]) if TARGET in wanted.names else None,
    )


def _vectors(column: Any) -> NDArray[np.float32]:
    vectors: NDArray[np.float32] = column.combine_chunks().flatten().to_numpy().reshape(len(column), PROFILE_WIDTH)
    return vectors


def _doubles(column: Any) -> NDArray[np.float64]:
    import pyarrow as pa

    doubles: NDArray[np.float64] = column.cast(pa.float64()).to_numpy()
    return doubles
