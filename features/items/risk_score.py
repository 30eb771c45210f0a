"""Risk of an item's reviews: evidence and a score of it, never a verdict; nothing is removed because of it."""

from __future__ import annotations

from typing import Any, Final

from features.items.columns import DAYS
from features.items.review_bursts import bursts
from features.items.review_oddities import oddities
from features.items.state import ItemState

ALERT_SCORE: Final = 70.0
"""The score from which on an item is counted as one to look at; no item without a campaign reached it on trial."""

EVIDENCE: Final = ("burst_24h", "burst_7d", "new_reviewers_7d", "alike", "contrary", "wordless")
"""The kinds of evidence, as a block names them."""

HALVING_DECADES: Final = 2.0
"""The decades of evidence that halve what a score lacks of 100."""

_REVIEWS: Final = DAYS.place("reviews")


def risk_block(state: ItemState, instant: int) -> dict[str, Any] | None:
    """Return the block `risk` of an item's record; None for an item without a review in 30 days.

    The score is `100 x (1 - 2^(-E / 2))`, with E the decades of evidence: those of the greater burst, of nearly equal
    texts, of contrary and of wordless ratings, and of new reviewers as far as there is a burst, for whoever sells well
    wins new customers.

    Args:
        state: of the item.
        instant: T, ms, not before the newest fact.
    """
    if state.oldest is None or not state.by_day.sums(instant)[-1][_REVIEWS]:
        return None
    burst = bursts(state, instant)
    odd = oddities(state.reviews, instant)
    kinds = (burst["24h"], burst["7d"], odd.new_reviewers, odd.alike, odd.contrary, odd.wordless)
    greater = max(burst["24h"].decades, burst["7d"].decades)
    told = min(greater, odd.new_reviewers.decades)
    total = greater + told + odd.alike.decades + odd.contrary.decades + odd.wordless.decades
    return {
        "score": 100.0 * (1.0 - 2.0 ** (-total / HALVING_DECADES)),
        **{name: found._asdict() for name, found in zip(EVIDENCE, kinds, strict=True)},
        "mean_rating_7d": odd.rating,
        "mean_rating_before": odd.rating_before,
    }


def foremost(block: dict[str, Any]) -> str:
    """Return the kind of evidence of a block that is the strongest."""
    return max(EVIDENCE, key=lambda kind: block[kind]["decades"])
