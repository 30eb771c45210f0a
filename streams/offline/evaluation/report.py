"""The result of an evaluation, as one document of numbers that JSON can hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.artefact.artefact import Artefact
from models.exceptions import InvalidInputError
from models.measures.baselines import NAMES as BASELINES
from models.measures.bootstrap import RowNumbers, intervals, resampled_rows
from models.measures.classification import precision_recall_curve, roc_curve
from models.measures.fairness import fairness
from models.measures.spend import calibration_deciles
from models.scoring.scorer import Predictions
from streams.offline.evaluation.ablation import PAIRS, ablation
from streams.offline.evaluation.business import business
from streams.offline.evaluation.comparison import Comparison, compare, measurable
from streams.offline.evaluation.forecasts import SCORER, Forecast, of_baselines, of_scorer
from streams.offline.evaluation.importance import importance
from streams.offline.evaluation.material import Material
from streams.offline.evaluation.stability import stability
from streams.progress import Progress

Vector = NDArray[np.float64]

SELECTED: Final = ("high", "premium")
"""The tiers that are acted on. A user in one of them is "selected"."""

_FEWEST_ROWS: Final = 10


def evaluate(
    artefact: Artefact,
    material: Material,
    *,
    currency: str,
    size_bytes: int,
    draws: int,
    seed: int,
    progress: Progress,
) -> dict[str, Any]:
    """Judge a scorer.

    Args:
        artefact: holds the scorer.
        material: rows to judge it on, and rows to fit baselines on.
        currency: of the money in the rows.
        size_bytes: of the artefact's files.
        draws: resamplings of the users behind every interval.
        seed: of resamplings, refits and rewritten texts.
        progress: called with the progress.

    Returns:
        `artefact`, `data`, `bootstrap`, `business`, `importance`, `metrics`, `ahead`, `calibration`, `curves`,
        `ablation`, `fairness` and `stability`; every number in it is finite.

    Raises:
        InvalidInputError: fewer than 10 rows, or rows on which something cannot be measured.
        MissingLibraryError: a library of the extra `train` is not installed.
        EncoderUnavailableError: the encoder is down.
    """
    rows = material.asked
    if len(rows.users) < _FEWEST_ROWS:
        raise InvalidInputError(f"rows: expected at least {_FEWEST_ROWS}, found {len(rows.users)}; pass more users")
    progress("fitting baselines", 0, 1)
    forecasts = {SCORER: of_scorer(artefact.scorer, material, use_profile=material.use_profile)}
    forecasts |= of_baselines(material)
    progress("fitting scorers with and without text", 0, 1)
    refits = ablation(artefact, material, seed)
    resamplings = list(resampled_rows(rows.users, draws=draws, seed=seed, usable=measurable(rows)))
    compared = compare(rows, {**forecasts, **refits.forecasts}, resamplings, progress)
    progress("rewriting texts", 0, 1)
    said = artefact.scorer.predict(rows.values, rows.profiles, use_profile=material.use_profile)
    document = {
        "artefact": _artefact(artefact, size_bytes),
        "data": _data(material),
        "bootstrap": {"draws": draws, "seed": seed, "interval": 0.95, "resampled": "users"},
        "business": business(rows, forecasts, said.tier, currency),
        "importance": importance(said),
        "metrics": {name: row for name, row in compared.table().items() if name in forecasts},
        "ahead": compared.ahead(SCORER, BASELINES),
        "calibration": _calibration(rows.money, forecasts[SCORER], resamplings),
        "curves": _curves(material, forecasts),
        "ablation": {
            **_pairs(compared),
            "fit_seconds": refits.fit_seconds,
            "fit_rows": refits.rows,
            "simulated_text": material.demonstration,
        },
        "fairness": _fairness(said, material, resamplings),
        "stability": _stability(artefact, material, seed),
    }
    require_finite(document)
    return document


def require_finite(document: Any, where: str = "report") -> None:
    """Refuse numbers that JSON cannot hold.

    Raises:
        InvalidInputError: there is such a number.
    """
    if isinstance(document, dict):
        for name, value in document.items():
            require_finite(value, f"{where}.{name}")
    elif isinstance(document, list):
        for value in document:
            require_finite(value, where)
    elif isinstance(document, float) and not math.isfinite(document):
        raise InvalidInputError(f"{where}: expected a finite number, found {document}; check the rows")


def _artefact(artefact: Artefact, size_bytes: int) -> dict[str, Any]:
    return {
        "version": artefact.version,
        "kind": artefact.scorer.model.kind,
        "attribution": artefact.scorer.attribution,
        "encoder": artefact.encoder_identity,
        "date": artefact.date.isoformat(),
        "seed": artefact.seed,
        "data": artefact.data,
        "data_hash": artefact.data_hash,
        "bytes": size_bytes,
    }


def _data(material: Material) -> dict[str, Any]:
    rows, known = material.asked, material.known
    spenders = {user for user, bought in zip(rows.users, rows.bought.tolist(), strict=True) if bought}
    return {
        "description": material.data,
        "rows": len(rows.users),
        "users": len(set(rows.users)),
        "rows_with_spend": int(rows.bought.sum()),
        "users_with_spend": len(spenders),
        "mean_spend": float(rows.money.mean()),
        "first_instant": _day(rows.instants.min()),
        "last_instant": _day(rows.instants.max()),
        "rows_with_profile": int(rows.profiles.any(axis=1).sum()),
        "fitted_on": {"rows": int(material.regular.sum()), "users": len(set(known.users))},
        "users_in_both": len(set(rows.users) & set(known.users)),
        "overlap": material.overlap,
        "overlap_reason": material.overlap_reason,
        "profile_used": material.use_profile,
    }


def _calibration(spent: Vector, said: Forecast, resamplings: Sequence[RowNumbers]) -> list[dict[str, Any]]:
    drawn = [[actual for *_, actual in calibration_deciles(spent[some], said.money[some])] for some in resamplings]
    low, high = intervals(np.array([row for row in drawn if len(row) == _FEWEST_ROWS])).tolist()
    deciles = calibration_deciles(spent, said.money)
    return [
        {"rows": count, "expected": expected, "actual": actual, "low": low[i], "high": high[i]}
        for i, (count, expected, actual) in enumerate(deciles)
    ]


def _curves(material: Material, forecasts: dict[str, Forecast]) -> dict[str, Any]:
    bought = material.asked.bought
    return {
        name: {
            "roc": roc_curve(bought, said.order),
            "precision_recall": precision_recall_curve(bought, said.order),
            "threshold": said.threshold,
        }
        for name, said in forecasts.items()
    }


def _pairs(compared: Comparison) -> dict[str, Any]:
    """Return for each pair the measures of both, and the lead of the one with text."""
    table = compared.table()
    return {
        way: {
            "with_text": table[full],
            "without_text": table[bare],
            "ahead": compared.ahead(full, [bare])[bare],
        }
        for way, (full, bare) in PAIRS.items()
        if bare in table
    }


def _fairness(said: Predictions, material: Material, resamplings: Sequence[RowNumbers]) -> dict[str, Any]:
    rows = material.asked
    selected = np.isin(said.tier, SELECTED)
    columns = {
        column: fairness(
            labels.tolist(), rows.users, rows.money, said.expected_spend, said.score, selected, resamplings
        )
        for column, labels in material.groups.items()
    }
    return {"columns": columns, "selected_tiers": list(SELECTED), "demonstration": material.demonstration}


def _stability(artefact: Artefact, material: Material, seed: int) -> dict[str, Any]:
    if material.texts is None:
        return {"skipped": material.without_texts}
    rows = material.asked
    found = stability(artefact.scorer, material.texts, rows.users, rows.instants.tolist(), seed=seed)
    return {"skipped": "no user judged has a text that counts"} if found is None else found


def _day(instant: int) -> str:
    return datetime.fromtimestamp(int(instant) / 1000, UTC).date().isoformat()
