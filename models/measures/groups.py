"""Whether groups of users are ranked alike by an estimate of order: what each is told, what is true, and the errors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.exceptions import InvalidInputError
from models.measures.bootstrap import RowNumbers
from models.measures.fairness import FOUR_FIFTHS, MOST_GROUPS, SMALLEST_GROUP, rate_intervals
from models.measures.spend import spearman

Vector = NDArray[np.float64]

UPPER_THIRD: Final = 2 / 3
"""The rank from which a user belongs to the upper third."""

_APART: Final = 0.1
"""A mean gap between estimated and true rank beyond which a group is looked into: a tenth of all users."""


def compare_groups(
    groups: Sequence[str],
    actual: Vector,
    predicted: Vector,
    selected: NDArray[np.bool_],
    resamplings: Iterable[RowNumbers],
) -> dict[str, Any]:
    """Compare groups of users.

    Args:
        groups: [n], the group of each user.
        actual: [n], the rank of the label as a share, 0..1.
        predicted: [n], the rank of the prediction as a share, 0..1.
        selected: [n], whether the user is in the upper band.
        resamplings: row numbers, of `models.measures.bootstrap.resampled_rows`.

    Returns:
        `groups`, by name: `users`, `compared`, `mean_actual` and `mean_predicted` rank, their difference `gap`,
        `selection_rate` (share in the upper band) with its `selection_rate_interval`, `actual_rate` (share whose label
        is in the upper third), `ratio` of the rate to that of the compared group selected most, and `spearman` within
        the group; null where there is nothing to divide by, or for a group that is not compared.
        `warnings`: `kind` (`selection_rate`, `gap` or `small_group`), `group` and the number behind it, `value`.
        `threshold` and `smallest_group`, by which they were given.

    Raises:
        InvalidInputError: lengths that differ, or more than 40 groups.
    """
    labels, codes = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True)
    lengths = {len(groups), actual.size, predicted.size, selected.size}
    if len(lengths) != 1 or not 1 <= labels.size <= MOST_GROUPS:
        raise InvalidInputError(
            f"groups: expected 1 to {MOST_GROUPS} groups in columns of one length, found {labels.size} and lengths "
            f"{sorted(lengths)}; name a column with few different values"
        )
    bounds = rate_intervals(codes, labels.size, selected, resamplings)
    sizes = np.bincount(codes)
    rates = np.bincount(codes, weights=selected) / sizes
    highest = max(rates[sizes >= SMALLEST_GROUP], default=0.0)
    report: dict[str, Any] = {}
    warnings: list[dict[str, Any]] = []
    for place, label in enumerate(labels.tolist()):
        of, compared = codes == place, bool(sizes[place] >= SMALLEST_GROUP)
        gap = float(predicted[of].mean() - actual[of].mean())
        ratio = float(rates[place] / highest) if compared and highest > 0 else None
        report[label] = {
            "users": int(sizes[place]),
            "compared": compared,
            "mean_actual": float(actual[of].mean()),
            "mean_predicted": float(predicted[of].mean()),
            "gap": gap,
            "selection_rate": float(rates[place]),
            "selection_rate_interval": bounds[:, place].tolist() if compared else None,
            "actual_rate": float((actual[of] >= UPPER_THIRD).mean()),
            "ratio": ratio,
            "spearman": spearman(actual[of], predicted[of]) if compared else None,
        }
        if not compared:
            warnings.append({"kind": "small_group", "group": label, "value": int(sizes[place])})
            continue
        if ratio is not None and ratio < FOUR_FIFTHS:
            warnings.append({"kind": "selection_rate", "group": label, "value": ratio})
        if abs(gap) > _APART:
            warnings.append({"kind": "gap", "group": label, "value": gap})
    return {"groups": report, "warnings": warnings, "threshold": FOUR_FIFTHS, "smallest_group": SMALLEST_GROUP}
