"""The judgement of capacity: how well behaviour, text and both order people that a fit has not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.measures.bootstrap import resampled_rows
from models.measures.groups import compare_groups
from models.measures.lift import order_of, range_ids
from models.scoring.capacity import BAND_BOUNDS
from models.scoring.population import reference_of, share_at_most
from models.training.capacity.design import PARTS
from models.training.capacity.fitting import out_of_fold
from models.training.capacity.people import ranks
from models.training.threads import one_thread
from streams.exceptions import ConfigurationError
from streams.offline.capacity.labels_file import Labels
from streams.offline.capacity.people import Gathered
from streams.offline.training.rows_file import FILE_NAME
from streams.progress import Progress

Vector = NDArray[np.float64]

BEHAVIOUR, BOTH = PARTS[0], PARTS[-1]
DRAWS: Final = 1000
"""Resamplings of users for an interval."""

_NO_GROUP: Final = "unknown"


def judge(
    gathered: Gathered,
    groups: dict[str, list[str]],
    *,
    draws: int = DRAWS,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Judge by cross-validation over users.

    Args:
        gathered: rows and labels.
        groups: by column, the group of each labelled user.
        draws: resamplings for the intervals, >= 1.
        seed: of folds and resamplings.
        progress: called before each part.

    Returns:
        `n`, `spearman` and `concordance` by part, `lift` with `spearman` (both less behaviour) and its 95 %
        `interval`; with groups also `fairness`, by column, as `models.measures.groups.compare_groups` returns.

    Raises:
        InvalidInputError: too few users, or too many groups.
    """
    predictions = predicted(gathered, seed=seed, progress=progress)
    alone, against = order_of(gathered.labelled.labels, predictions, draws=draws, seed=seed)
    lift = against["spearman"][BOTH]
    document: dict[str, Any] = {
        "n": len(gathered.labelled.users),
        **{measure: {part: found.value for part, found in by_part.items()} for measure, by_part in alone.items()},
        "lift": {"spearman": lift.value, "interval": [lift.low, lift.high]},
    }
    if groups:
        document["fairness"] = by_groups(groups, gathered.labelled.labels, predictions[BOTH], draws=draws, seed=seed)
    return document


def by_groups(
    groups: Mapping[str, Sequence[str]], labels: Vector, predictions: Vector, *, draws: int, seed: int
) -> dict[str, Any]:
    """Compare groups of users, the upper band being that of the users themselves.

    Args:
        groups: by column, the group of each of n users.
        labels: [n].
        predictions: [n], by fits that have not seen the user.
        draws: resamplings for the intervals, >= 1.
        seed: of the resamplings.

    Returns:
        By column, as `models.measures.groups.compare_groups` returns.

    Raises:
        InvalidInputError: too many groups.
    """
    upper = share_at_most(reference_of(predictions), predictions) >= BAND_BOUNDS[-1]
    actual, told = ranks(labels), ranks(predictions)
    return {
        column: compare_groups(
            names, actual, told, upper, resampled_rows(range_ids(len(names)), draws=draws, seed=seed)
        )
        for column, names in groups.items()
    }


def predicted(gathered: Gathered, *, seed: int = 0, progress: Progress | None = None) -> dict[str, Vector]:
    """Return the out-of-fold prediction of each labelled user by part, float64 [n] each.

    Raises:
        InvalidInputError: too few users for the folds.
    """
    with one_thread():
        found = {}
        for place, part in enumerate(PARTS):
            if progress is not None:
                progress(f"fitting {part}", place, len(PARTS))
            found[part] = out_of_fold(gathered.people, gathered.labelled, part, seed=seed)
    return found


def groups_of(columns: Sequence[str], gathered: Gathered, labels: Labels) -> dict[str, list[str]]:
    """Return the group of each labelled user by column: of the labels, or of the user's latest row.

    Raises:
        ConfigurationError: neither file has the column.
    """
    found = {}
    for column in columns:
        by_user = labels.groups.get(column)
        if by_user is None:
            by_user = _of_rows(column, gathered, labels)
        found[column] = [by_user.get(user, "") or _NO_GROUP for user in gathered.labelled.users]
    return found


def _of_rows(column: str, gathered: Gathered, labels: Labels) -> dict[str, str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from streams.offline.training.rows_file import INSTANT, USER

    file = gathered.rows / FILE_NAME if gathered.rows.is_dir() else gathered.rows
    try:
        table = pq.read_table(file, columns=[USER, INSTANT, column]).sort_by(INSTANT)
        users, values = table[USER].to_pylist(), table[column].to_pylist()
    except (KeyError, pa.ArrowException) as error:
        others = ", ".join(labels.columns) or "none beside user and label"
        raise ConfigurationError(
            f"--group: expected a column of {labels.path} (it has {others}) or of {file}, found no {column}"
        ) from error
    return {user: "" if value is None else str(value) for user, value in zip(users, values, strict=True)}
