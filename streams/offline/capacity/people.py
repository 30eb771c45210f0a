"""The people of a fit of capacity: each user of the rows at the latest instant, and who of them has a label."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.tiles import DAY
from features.users.catalogue import NAMES, TRANSFORMS
from features.windows import WINDOWS
from models.scoring.capacity import EVIDENCE
from models.scoring.standardising import Transform
from models.training.capacity.people import Labelled, People
from streams.exceptions import ConfigurationError
from streams.offline.capacity.labels_file import Labels
from streams.offline.training.rows_file import read_training_rows

WINDOW_DAYS: Final = {
    name: window.length / DAY for window in WINDOWS for name in NAMES if name.endswith(f"_{window.name}")
}
"""The days of the window of each scalar that has one."""


@dataclass(frozen=True, eq=False)
class Gathered:
    """All users of the rows, and the labelled ones among them.

    Attributes:
        rows: the file or folder read.
        users: the n ids, in the order of `people`.
        people: scalars and vectors of each user's latest row.
        orders: float64 [n], the evidence.
        labelled: those with a label.
        unknown: how many users of the labels have no row, and are left out.
        encoder: the identity behind the vectors.
    """

    rows: Path
    users: tuple[str, ...]
    people: People
    orders: NDArray[np.float64]
    labelled: Labelled
    unknown: int
    encoder: str


def gather(rows: Path, labels: Labels) -> Gathered:
    """Bring rows and labels together.

    Args:
        rows: a folder that `history` wrote, or its `training_rows.parquet`; with or without targets.
        labels: of users.

    Raises:
        ConfigurationError: rows that cannot be read, of several encoders or of nobody; or no label of their users, or
            one and the same for all.
    """
    read = read_training_rows(rows)
    if len(read.encoders) != 1:
        raise ConfigurationError(
            f"{rows}: expected rows of one encoder, found {len(read.encoders)} ({', '.join(read.encoders)}); "
            "fold the history again with the encoder and scorer in use"
        )
    newest: dict[str, int] = {}
    for place in np.argsort(read.instants, kind="stable").tolist():
        newest[read.users[place]] = place
    # By id, so that the order of the rows in a file changes no digit.
    users = tuple(sorted(newest))
    places = np.array([newest[user] for user in users], dtype=np.int64)
    values = read.values[places]
    people = People(
        names=NAMES,
        values=values,
        vectors=np.hstack([read.profiles[places], read.tastes[places]]).astype(np.float64),
        transforms={name: Transform(transform) for name, transform in TRANSFORMS.items()},
        windows=WINDOW_DAYS,
    )
    place_of = {user: place for place, user in enumerate(users)}
    known = sorted(user for user in labels.values if user in place_of)
    labelled = Labelled(
        tuple(known),
        np.array([place_of[user] for user in known], dtype=np.int64),
        np.array([labels.values[user] for user in known], dtype=np.float64),
    )
    _require_order(labels, labelled, rows)
    return Gathered(
        rows=rows,
        users=users,
        people=people,
        orders=np.nan_to_num(values[:, NAMES.index(EVIDENCE)]),
        labelled=labelled,
        unknown=len(labels.values) - len(known),
        encoder=read.encoders[0],
    )


def _require_order(labels: Labels, labelled: Labelled, rows: Path) -> None:
    if not labelled.users:
        raise ConfigurationError(
            f"{labels.path}: expected labels of users of {rows}, found none of {len(labels.values):,} there; "
            "name the users as the events do"
        )
    if labelled.labels.min() == labelled.labels.max():
        first = min(labels.lines[user] for user in labelled.users)
        raise ConfigurationError(
            f"{labels.path}, line {first}: expected at least two labels that differ among the users of {rows}, found "
            f"this one for all {len(labelled.users):,}; add labels"
        )
