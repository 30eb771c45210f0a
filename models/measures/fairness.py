"""Whether groups of users are scored alike: selection, scores and calibration by group, and what to look into."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.exceptions import InvalidInputError
from models.libraries import library
from models.measures.bootstrap import RowNumbers, intervals

Vector = NDArray[np.float64]
Mask = NDArray[np.bool_]

FOUR_FIFTHS: Final = 0.8
"""A group selected at less than this share of the rate of the group selected most is looked into. Source: Uniform
Guidelines on Employee Selection Procedures, 1978, 29 CFR 1607.4(D); a rule of thumb, carried over from there."""

SMALLEST_GROUP: Final = 30
"""Users below which a group's rates are too uncertain to be compared."""

MOST_GROUPS: Final = 40
QUANTILES: Final = (10, 25, 50, 75, 90)


def fairness(
    groups: Sequence[str],
    users: Sequence[str],
    spent: Vector,
    expected: Vector,
    score: Vector,
    selected: Mask,
    resamplings: Iterable[RowNumbers],
    *,
    smallest: int = SMALLEST_GROUP,
    threshold: float = FOUR_FIFTHS,
) -> dict[str, Any]:
    """Compare groups of rows.

    Args:
        groups: [n], the group of each row.
        users: [n], the user of each row.
        spent: [n], money spent.
        expected: [n], money expected.
        score: [n], 0..100.
        selected: [n], whether the score puts the row into the tiers that are acted on.
        resamplings: row numbers, of `models.measures.bootstrap.resampled_rows`.
        smallest: users below which a group is not compared.
        threshold: least ratio of selection rates that raises no warning.

    Returns:
        `groups`, by name: `rows`, `users`, `compared`, `selection_rate` and its `selection_rate_interval`, `ratio` to
        the compared group selected most, `score_quantiles` (percentiles 10 to 90), `mean_score`, `expected_spend`,
        `actual_spend` (means) and `calibration_ratio` of the two; null where there is nothing to divide by.
        `warnings`: `kind` (`selection_rate` or `small_group`), `group` and the number behind it, `value`.

    Raises:
        InvalidInputError: lengths that differ, or more than 40 groups.
        MissingLibraryError: fairlearn is not installed.
    """
    labels, codes = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True)
    lengths = {len(groups), len(users), spent.size, expected.size, score.size, selected.size}
    if len(lengths) != 1 or not 1 <= labels.size <= MOST_GROUPS:
        raise InvalidInputError(
            f"groups: expected 1 to {MOST_GROUPS} groups in columns of one length, found {labels.size} and lengths "
            f"{sorted(lengths)}; name a column with few different values"
        )
    by_group = _measured(np.asarray(groups, dtype=np.str_), spent, expected, score, selected)
    people = {
        str(label): len({users[i] for i in np.flatnonzero(codes == at).tolist()}) for at, label in enumerate(labels)
    }
    bounds = rate_intervals(codes, labels.size, selected, resamplings)
    rates = [by_group[name]["selection_rate"] for name, count in people.items() if count >= smallest]
    highest = max(rates, default=0.0)
    report: dict[str, Any] = {}
    warnings: list[dict[str, Any]] = []
    for position, (name, count) in enumerate(people.items()):
        row, compared = by_group[name], count >= smallest
        ratio = row["selection_rate"] / highest if compared and highest > 0 else None
        report[name] = {
            "users": count,
            "compared": compared,
            "ratio": ratio,
            "selection_rate_interval": bounds[:, position].tolist() if compared else None,
            **row,
        }
        if not compared:
            warnings.append({"kind": "small_group", "group": name, "value": count})
        elif ratio is not None and ratio < threshold:
            warnings.append({"kind": "selection_rate", "group": name, "value": ratio})
    return {"groups": report, "warnings": warnings, "threshold": threshold, "smallest_group": smallest}


def _measured(
    groups: NDArray[np.str_], spent: Vector, expected: Vector, score: Vector, selected: Mask
) -> dict[str, dict[str, Any]]:
    fairlearn = library("fairlearn.metrics")

    def frame(metrics: Any, predicted: Any) -> dict[str, list[Any]]:
        made = fairlearn.MetricFrame(metrics=metrics, y_true=spent > 0, y_pred=predicted, sensitive_features=groups)
        return {name: made.by_group[name].tolist() for name in metrics}

    def percentile(of: int) -> Any:
        return lambda _, scores: float(np.percentile(scores, of))

    chosen = frame({"rows": fairlearn.count, "selection_rate": fairlearn.selection_rate}, selected)
    scored = frame({"mean": fairlearn.mean_prediction, **{str(of): percentile(of) for of in QUANTILES}}, score)
    forecast = frame({"mean": fairlearn.mean_prediction}, expected)["mean"]
    actual = frame({"mean": fairlearn.mean_prediction}, spent)["mean"]
    return {
        str(name): {
            "rows": int(chosen["rows"][i]),
            "selection_rate": float(chosen["selection_rate"][i]),
            "mean_score": float(scored["mean"][i]),
            "score_quantiles": [float(scored[str(of)][i]) for of in QUANTILES],
            "expected_spend": float(forecast[i]),
            "actual_spend": float(actual[i]),
            "calibration_ratio": float(forecast[i] / actual[i]) if actual[i] > 0 else None,
        }
        for i, name in enumerate(np.unique(groups))
    }


def rate_intervals(codes: NDArray[np.int64], groups: int, selected: Mask, resamplings: Iterable[RowNumbers]) -> Vector:
    """Return the 95 % interval of each group's selection rate: float64 [2, groups]."""
    rates = []
    for rows in resamplings:
        sizes = np.bincount(codes[rows], minlength=groups).astype(np.float64)
        chosen = np.bincount(codes[rows], weights=selected[rows], minlength=groups)
        rates.append(np.divide(chosen, sizes, out=np.full(groups, np.nan), where=sizes > 0))
    return intervals(np.stack(rates))
