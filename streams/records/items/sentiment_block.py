"""The block `sentiment` of an item's record: what its reviews say, and how many say it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from features.items.columns import DAYS
from features.items.state import ItemState
from features.observation import MICRO

_POLAR: Final = DAYS.place("polar_reviews")
_POLARITY: Final = DAYS.place("polarity")
_NOISY: Final = DAYS.place("noisy_reviews")


def sentiment_block(state: ItemState, values: Mapping[str, Any], instant: int, head: str) -> dict[str, Any] | None:
    """Return the block; None for an item whose reviews of 30 days have no polarity by this head.

    Args:
        state: of the item.
        values: scalars of the item's row: `polarity_30d`, `rating_text_gap_30d`, `mean_rating_30d`.
        instant: T, ms.
        head: identity of the loaded polarity head; empty without one.
    """
    month = state.by_day.sums(instant)[-1]
    judged = month[_POLAR]
    if not judged or state.head != head:
        return None
    return {
        "judged_reviews_30d": judged,
        "noisy_reviews_30d": month[_NOISY],
        "mean_polarity_30d": month[_POLARITY] / MICRO / judged,
        "polarity_30d": values["polarity_30d"],
        "mean_rating_30d": values["mean_rating_30d"],
        "rating_text_gap_30d": values["rating_text_gap_30d"],
    }
