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
from streams.offline.sample.orders import is_held_out
from streams.offline.training.rows_file import FILE_NAME, TARGET, read_training_rows

_HALVES: Final = (
    "Rows that `wherewithal history` folded. The half of the users whose id's SHA-256 starts with 8 to f is judged; "
    "baselines are fitted on the other half."
)
_HELD_OUT: Final = (
    "Rows that `wherewithal history` folded. The users whom the artefact holds out are judged (a share of {share:g} by "
    "a hash of the id with the salt `{salt}`); baselines are fitted on the other users."
)


def from_rows(path: Path, artefact: Artefact, columns: Sequence[str] = (), *, ignore_holdout: bool = False) -> Material:
    """Return the rows of a file, divided by user: as the artefact's holdout says, or into halves if it has none.

    Rows whose 30 days the history did not cover are left out.

    Args:
        path: the file, or the folder that `history` wrote.
        artefact: the artefact to judge.
        columns: columns of the file to compare groups by; null is the group `unknown`.
        ignore_holdout: divide into halves, whatever the artefact's holdout is.

    Raises:
        ConfigurationError: the file, a column or the targets are missing, or all users are on one side.
    """
    read = read_training_rows(path)
    if read.spend_after is None:
        raise ConfigurationError(
            f"{path}: expected a column {TARGET}, found none; write it with `wherewithal history --targets`"
        )
    labels = {column: _column(path, column) for column in columns}
    covered = ~np.isnan(read.spend_after)
    holdout = None if ignore_holdout else artefact.holdout
    judge = is_held_out if holdout is None else holdout.holds_out
    held_out = np.array([judge(user) for user in read.users], dtype=np.bool_)
    if not (covered & held_out).any() or not (covered & ~held_out).any():
        raise ConfigurationError(
            f"{path}: expected users with {TARGET} to judge on and others to fit baselines on, found "
            f"{int((covered & held_out).sum())} and {int((covered & ~held_out).sum())} rows of them; choose instants "
            "at least 30 days before the end of the history, or pass more users"
        )
    rows = Rows(
        values=read.values,
        profiles=read.profiles,
        money=read.spend_after,
        users=read.users,
        instants=read.instants,
    )
    known = rows.where(covered & ~held_out)
    overlap, reason = _overlap(rows.where(covered), artefact, ignore_holdout)
    return Material(
        asked=rows.where(covered & held_out),
        known=known,
        regular=np.ones(len(known.users), dtype=np.bool_),
        use_profile=read.encoders == [artefact.encoder_identity],
        data=_HALVES if holdout is None else _HELD_OUT.format(share=holdout.share, salt=holdout.salt),
        overlap=overlap,
        overlap_reason=reason,
        groups={column: found[covered & held_out] for column, found in labels.items()},
        without_texts="the file holds features, not what users wrote",
    )


def _overlap(rows: Rows, artefact: Artefact, ignore_holdout: bool) -> tuple[str, str]:
    holdout = artefact.holdout
    if holdout is not None and not ignore_holdout:
        return "none", "the artefact says that it was not trained on the users whom its holdout holds out"
    if holdout is not None:
        rows = rows.where(~np.array([holdout.holds_out(user) for user in rows.users], dtype=np.bool_))
    names, values = artefact.scorer.names, artefact.scorer.features_of(rows.values)
    digest = TrainingRows.checked(names, values, rows.profiles, rows.money, rows.users).digest(names, rows.users)
    if digest == artefact.data_hash:
        return "certain", (
            "the rows have the very SHA-256 that the artefact names as its training data, so what follows flatters it; "
            "evaluate on the users it holds out, on rows of other users, or of a later time"
        )
    return "unknown", (
        "the rows are not the artefact's training data as a whole (their SHA-256 differs), but an artefact holds no "
        "ids, so single users may be in both; train with a holdout, or fold a history of users kept apart, to be sure"
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
