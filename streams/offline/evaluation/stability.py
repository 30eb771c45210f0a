"""The change of a score when a shopper writes the same a little differently."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from features.users.point_in_time import Snapshot
from models.scoring.scorer import Predictions, Scorer
from streams.offline.evaluation.perturbing import KINDS, perturbed
from streams.offline.evaluation.texts import Texts
from streams.records.events import text_of

USERS: Final = 100
PERCENTILES: Final = (5, 25, 50, 75, 95)


def stability(
    scorer: Scorer, texts: Texts, users: Sequence[str], instants: Sequence[int], *, seed: int, most: int = USERS
) -> dict[str, Any] | None:
    """Rewrite every text of some users in each way, read them again, fold and score again.

    Args:
        scorer: the scorer to judge.
        texts: the texts, and all other events of the users.
        users: [n], the user of each row that may be drawn.
        instants: [n], T of each row, ms; a user's last one is scored.
        seed: of the draw and of the changes to texts.
        most: the largest number of users drawn among those whose text counts at that instant.

    Returns:
        `users` (drawn), `score_difference_if_dropped` (mean, of no text at all), and `kinds`: of each kind `texts`
        (rewritten), `changed` (share that came out different), `difference` (percentiles 5, 25, 50, 75, 95 of the new
        score minus the old, in points), `mean_absolute`, `largest`, `tier_changed` (share of users) and `cosine` (mean
        of the two profiles). None where no user has a text that counts.

    Raises:
        EncoderUnavailableError: the encoder is down.
    """
    drawn = _drawn(texts, users, instants, seed, most)
    if not drawn:
        return None
    before = [texts.fold(user, [at])[0] for user, at in drawn]
    written = sorted({text_of(event) for user, _ in drawn for event in texts.events[user]} - {""})
    rewritten = {kind: {text: perturbed(text, kind, seed) for text in written} for kind in KINDS}
    again = texts.also_reading(text for table in rewritten.values() for text in table.values())
    scored = _scored(scorer, before)
    dropped = scorer.predict([row.scalars for row in before], None, use_profile=False)
    kinds = {}
    for kind, table in rewritten.items():
        after = [again.fold(user, [at], table)[0] for user, at in drawn]
        kinds[kind] = _difference(scored, _scored(scorer, after), before, after) | {
            "texts": len(table),
            "changed": float(np.mean([old != new for old, new in table.items()])),
        }
    return {
        "users": len(drawn),
        "score_difference_if_dropped": float(np.abs(dropped.score - scored.score).mean()),
        "kinds": kinds,
    }


def _drawn(texts: Texts, users: Sequence[str], instants: Sequence[int], seed: int, most: int) -> list[tuple[str, int]]:
    last: dict[str, int] = {}
    for user, at in zip(users, instants, strict=True):
        last[user] = max(at, last.get(user, at))
    writers = sorted(user for user, at in last.items() if texts.fold(user, [at])[0].profile.any())
    random.Random(f"stability/{seed}").shuffle(writers)
    return [(user, last[user]) for user in sorted(writers[:most])]


def _scored(scorer: Scorer, rows: Sequence[Snapshot]) -> Predictions:
    return scorer.predict([row.scalars for row in rows], np.stack([row.profile for row in rows]))


def _difference(
    old: Predictions, new: Predictions, before: Sequence[Snapshot], after: Sequence[Snapshot]
) -> dict[str, Any]:
    moved: NDArray[np.float64] = new.score - old.score
    cosines = [float(a.profile @ b.profile) for a, b in zip(before, after, strict=True)]
    return {
        "difference": [float(value) for value in np.percentile(moved, PERCENTILES)],
        "mean_absolute": float(np.abs(moved).mean()),
        "largest": float(np.abs(moved).max()),
        "tier_changed": float(np.mean([a != b for a, b in zip(old.tier, new.tier, strict=True)])),
        "cosine": float(np.mean(cosines)),
    }
