"""The rows of a file that `wherewithal history --targets` wrote, divided by user."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.artefact.artefact import Artefact
from models.training.rows import TrainingRows
from streams.exceptions import ConfigurationError
from streams.offline.evaluation.material import Material, Rows
from streams.offline.sample.simulator import is_held_out
from streams.offline.training.rows_file import FILE_NAME, TARGET, read_training_rows

_DATA: Final = (
    "Rows that `wherewithal history` folded. The half of the users whose id's SHA-256 starts with 8 to f is judged; "
    "baselines are fitted on the other half."
)


def from_rows(path: Path, artefact: Artefact, columns: Sequence[str] = ()) -> Material:
    """Return the rows of a file, divided into halves by a hash of the user's id.

    Rows whose 30 days the history did not cover are left out.

    Args:
        path: the file, or the folder that `history` wrote.
        artefact: the artefact to judge.
        columns: columns of the file to compare groups by; null is the group `unknown`.

    Raises:
        ConfigurationError: the file, a column or the targets are missing, or all users are in one half.
    """
    read = read_training_rows(path)
    if read.spend_after is None:
        raise ConfigurationError(
            f"{path}: expected a column {TARGET}, found none; write it with `wherewithal history --targets`"
        )
    labels = {column: _column(path, column) for column in columns}
    covered = ~np.isnan(read.spend_after)
    held_out = np.array([is_held_out(user) for user in read.users], dtype=np.bool_)
    if not (covered & held_out).any() or not (covered & ~held_out).any():
        raise ConfigurationError(
            f"{path}: expected users with {TARGET} in both halves, found {int((covered & held_out).sum())} and "
            f"{int((covered & ~held_out).sum())} rows of them; choose instants at least 30 days before the end of "
            "the history, or pass more users"
        )
    rows = Rows(
        values=read.values,
        profiles=read.profiles,
        money=read.spend_after,
        users=read.users,
        instants=read.instants,
    )
    known = rows.where(covered & ~held_out)
    overlap, reason = _overlap(rows.where(covered), artefact)
    return Material(
        asked=rows.where(covered & held_out),
        known=known,
        regular=np.ones(len(known.users), dtype=np.bool_),
        use_profile=read.encoders == [artefact.encoder_identity],
        data=_DATA,
        overlap=overlap,
        overlap_reason=reason,
        groups={column: found[covered & held_out] for column, found in labels.items()},
        without_texts="the file holds features, not what users wrote",
    )


def _overlap(rows: Rows, artefact: Artefact) -> tuple[str, str]:
    names, values = artefact.scorer.names, artefact.scorer.features_of(rows.values)
    digest = TrainingRows.checked(names, values, rows.profiles, rows.money, rows.users).digest(names, rows.users)
    if digest == artefact.data_hash:
        return "certain", (
            "the rows have the very SHA-256 that the artefact names as its training data, so what follows flatters it; "
            "evaluate on rows of other users or of a later time"
        )
    return "unknown", (
        "the rows are not the artefact's training data as a whole (their SHA-256 differs), but an artefact holds no "
        "ids, so single users may be in both; fold a history of users kept apart, or of a later time, to be sure"
    )


def _column(path: Path, name: str) -> NDArray[np.str_]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = path / FILE_NAME if path.is_dir() else path
    try:
        values: list[Any] = pq.read_table(file, columns=[name])[name].to_pylist()
    except (KeyError, pa.ArrowException) as error:
        raise ConfigurationError(f"--group: expected a column of {file}, found no {name}") from error
    return np.array(["unknown" if value is None else str(value) for value in values])
