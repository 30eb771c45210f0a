"""What the trial found: a threshold chosen on one half of the items, and precision and recall on the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from features.items.risk_score import ALERT_SCORE, EVIDENCE
from models.measures.bootstrap import INTERVAL, resampled_rows
from streams.offline.risk.campaigns import CAMPAIGNS, ORDINARY, PROMOTIONS, SIZES
from streams.offline.risk.trial import Watched

DRAWS: Final = 1_000
"""Resamplings of items."""

FALSE_SHARE: Final = 0.005
"""Share of the items without a campaign that may be flagged where the threshold is chosen."""

PREVALENCES: Final = (0.01, 0.05)
"""Shares of items with a campaign for which a precision is told."""


def judge(watched: Sequence[Watched], draws: int, seed: int) -> dict[str, Any]:
    """Choose the threshold on the items at even places, and judge it on the others.

    Args:
        watched: of the trial, in an order that says nothing of what was planted.
        draws: resamplings of items.
        seed: of the resamplings.

    Returns:
        `threshold`: the lowest whole score at which no more than `FALSE_SHARE` of the items without a campaign are
        flagged on the first half; `judged`: `_judged` of the other half at it; `at_alert`: at `ALERT_SCORE`.
    """
    choosing, judging = watched[::2], watched[1::2]
    innocent = np.array([each.score for each in choosing if each.kind not in CAMPAIGNS])
    threshold = next(score for score in range(1, 102) if (innocent >= score).mean() <= FALSE_SHARE)
    return {
        "threshold": threshold,
        "alert_score": ALERT_SCORE,
        "items": {"choosing": len(choosing), "judging": len(judging)},
        "judged": _judged(judging, threshold, draws, seed),
        "at_alert": _judged(judging, ALERT_SCORE, draws, seed),
    }


def _judged(watched: Sequence[Watched], threshold: float, draws: int, seed: int) -> dict[str, Any]:
    kinds = np.array([each.kind for each in watched])
    sizes = np.array([each.size for each in watched])
    flagged = np.array([each.score >= threshold for each in watched])
    planted = np.isin(kinds, CAMPAIGNS)
    names = [each.name for each in watched]
    rows = list(resampled_rows(names, draws=draws, seed=seed))

    def measured(measure: Callable[[Any], float]) -> dict[str, float]:
        every = measure(np.arange(len(watched)))
        drawn = np.array([measure(each) for each in rows])
        low, high = np.nanpercentile(drawn, INTERVAL) if np.isfinite(drawn).any() else (np.nan, np.nan)
        return {"value": every, "low": float(low), "high": float(high)}

    def share_of(among: Any) -> Callable[[Any], float]:
        return lambda chosen: _mean(flagged[chosen][among[chosen]])

    by_kind = {
        kind: {
            "items": int((kinds == kind).sum()),
            "flagged": int(flagged[kinds == kind].sum()),
            "share": measured(share_of(kinds == kind)),
        }
        for kind in (ORDINARY, *PROMOTIONS, *CAMPAIGNS)
    }
    for kind in CAMPAIGNS:
        by_kind[kind]["by_size"] = {
            str(size): {
                "items": int(((kinds == kind) & (sizes == size)).sum()),
                "flagged": int(flagged[(kinds == kind) & (sizes == size)].sum()),
            }
            for size in SIZES
        }
        by_kind[kind]["hours"] = _hours([each for each in watched if each.kind == kind], threshold)
        by_kind[kind]["evidence"] = _foremost([each for each in watched if each.kind == kind], threshold)
    innocent = int((~planted).sum())
    false = int((flagged & ~planted).sum())
    # With none of n found, the share is below 3 / n with 95 % confidence (Hanley & Lippman-Hand 1983).
    at_most = max(3.0 / innocent, _upper(false, innocent))
    recall = float(flagged[planted].mean())
    return {
        "precision": measured(lambda chosen: _mean(planted[chosen][flagged[chosen]])),
        "recall": measured(share_of(planted)),
        "false": {"flagged": false, "items": innocent, "share": false / innocent, "at_most": at_most},
        "precision_at_least": {
            str(each): recall * each / (recall * each + at_most * (1 - each)) for each in PREVALENCES
        },
        "kinds": by_kind,
    }


def _mean(values: NDArray[np.bool_]) -> float:
    return float(values.mean()) if values.size else math.nan


def _upper(found: int, of: int) -> float:
    """Return the upper end of Wilson's 95 % interval of a share (Wilson 1927)."""
    z = 1.959964
    share, weight = found / of, z * z / of
    return (share + weight / 2 + z * math.sqrt((share * (1 - share) + weight / 4) / of)) / (1 + weight)


def _hours(watched: Sequence[Watched], threshold: float) -> float | None:
    """Return the median hours from the first planted event to the threshold, of the items that reach it."""
    reached = [
        next(when for when, score in each.rises if score >= threshold) for each in watched if each.score >= threshold
    ]
    return float(np.median(reached)) if reached else None


def _foremost(watched: Sequence[Watched], threshold: float) -> dict[str, int]:
    """Count what evidence was foremost where an item was flagged."""
    kinds = [EVIDENCE[int(np.argmax(each.decades))] for each in watched if each.score >= threshold]
    return {kind: kinds.count(kind) for kind in EVIDENCE if kind in kinds}
