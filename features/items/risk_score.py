"""Risk of an item's reviews: evidence and a score of it, never a verdict; nothing is removed because of it."""

from __future__ import annotations

from typing import Any, Final

from features.items.columns import DAYS
from features.items.review_bursts import bursts
from features.items.review_oddities import oddities
from features.items.state import ItemState
from features.items.tails import Evidence, joined

ALERT_SCORE: Final = 70.0
"""The score from which on an item is counted as one to look at; no item without a campaign reached it on trial."""

EVIDENCE: Final = (
    "burst_24h", "burst_7d", "burst_14d", "new_reviewers_7d", "low_7d", "unbacked_14d", "alike", "contrary", "wordless",
)  # fmt: skip
"""The kinds of evidence, as a block names them."""

HALVING_DECADES: Final = 2.0
"""The decades of evidence that halve what a score lacks of 100."""

_REVIEWS: Final = DAYS.place("reviews")


def risk_block(state: ItemState, instant: int) -> dict[str, Any] | None:
    """Return the block `risk` of an item's record; None for an item without a review in 30 days.

    The score is `100 x (1 - 2^(-E / 2))`, with E the decades of evidence: those of nearly equal texts, and the greatest
    of three: low ratings in a burst; good ones in a burst that no word backs; and the greatest burst with contrary and
    wordless ratings beside it, and with new reviewers as far as there is a burst, for whoever sells well wins new
    customers.

    Args:
        state: of the item.
        instant: T, ms, not before the newest fact.
    """
    month = state.by_day.sums(instant)[-1][_REVIEWS]
    if not month:
        return None
    burst = bursts(state, instant)
    odd = oddities(state.reviews, instant)
    week = _sharper(burst["24h"], burst["7d"])
    kinds = {
        "burst_24h": burst["24h"],
        "burst_7d": burst["7d"],
        "burst_14d": burst["14d"],
        "new_reviewers_7d": odd.new_reviewers,
        "low_7d": joined(odd.low, week, month),
        "unbacked_14d": joined(odd.unbacked, burst["14d"], month),
        "alike": odd.alike,
        "contrary": odd.contrary,
        "wordless": odd.wordless,
    }
    greater = max(each.decades for each in burst.values())
    beside = greater + min(greater, odd.new_reviewers.decades) + odd.contrary.decades + odd.wordless.decades
    total = max(beside, kinds["low_7d"].decades, kinds["unbacked_14d"].decades) + odd.alike.decades
    return {
        "score": 100.0 * (1.0 - 2.0 ** (-total / HALVING_DECADES)),
        **{name: kinds[name]._asdict() for name in EVIDENCE},
        "mean_rating_7d": odd.rating,
        "mean_rating_before": odd.rating_before,
    }


def _sharper(first: Evidence, second: Evidence) -> Evidence:
    """Return the one of two with the smaller tail, its tail doubled by Bonferroni's bound."""
    return min(first, second, key=lambda found: found.tail)._replace(tail=2.0 * min(first.tail, second.tail))


def foremost(block: dict[str, Any]) -> str:
    """Return the kind of evidence of a block that is the strongest."""
    return max(EVIDENCE, key=lambda kind: block[kind]["decades"])
