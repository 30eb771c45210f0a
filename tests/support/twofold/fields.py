"""The fields of an item by brute force: every definition of the contract, applied to what was told of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from models.text.noise import is_noisy
from support.reference import DAY, WINDOWS
from support.twofold.reading import Told, says

COUNTS = {
    "views": "view",
    "favorites": "favorite",
    "carts": "cart",
    "removes": "remove",
    "purchases": "purchase",
    "refunds": "refund",
    "reviews": "review",
}
SHRINKAGE = 5
TO_A_DIGIT = ("polarity_30d", "rating_text_gap_30d")
VECTOR = "title_vector"

Embed = Callable[[str], "Sequence[float] | None"]
Polarity = Callable[[str], float]


def item_fields(
    told: Sequence[Told], embed: Embed, polarity: Polarity | None, as_of: int | None = None
) -> dict[str, Any]:
    """Every field of the view of an item.

    Args:
        told: at least one.
        embed: the projected embedding of a cleaned text; None where the encoder fails on it.
        polarity: that of a cleaned text, -1..1; None where no head is loaded.
        as_of: ms, or None.
    """
    newest = max(one.timestamp for one in told)
    instant = newest if as_of is None else max(as_of, newest)

    def inside(window: str, what: str) -> list[Told]:
        length, hop = WINDOWS[window]
        lower = (instant - length) // hop * hop
        return [one for one in told if one.what == what and lower <= one.timestamp <= instant]

    def micros(clicks: Sequence[Told]) -> int:
        return sum(round(one.price * one.quantity * 1e6) for one in clicks if one.price is not None)

    row: dict[str, Any] = {"event_time": instant, "revision": len(told)}
    for window in WINDOWS:
        for name, what in COUNTS.items():
            row[f"{name}_{window}"] = len(inside(window, what))
        row[f"units_{window}"] = sum(one.quantity for one in inside(window, "purchase") if one.price is not None)
        row[f"revenue_{window}"] = micros(inside(window, "purchase")) / 1e6
        row[f"refunded_{window}"] = micros(inside(window, "refund")) / 1e6
    row["conversion_7d"] = row["purchases_7d"] / row["views_7d"] if row["views_7d"] else None
    row["mean_paid_30d"] = row["revenue_30d"] / row["units_30d"] if row["units_30d"] else None
    reviews = inside("30d", "review")
    ratings = [round(one.rating * 1e6) for one in reviews if one.rating is not None]
    row["mean_rating_30d"] = sum(ratings) / 1e6 / len(ratings) if ratings else None
    row["noisy_share_30d"] = sum(is_noisy(one.text) for one in reviews) / len(reviews) if reviews else None
    judged = (
        [] if polarity is None else [(one, round(polarity(says(one.text)) * 1e6)) for one in reviews if says(one.text)]
    )
    gaps = [(one.rating - 3) / 2 - micro / 1e6 for one, micro in judged if one.rating is not None]
    row["polarity_30d"] = sum(micro for _, micro in judged) / 1e6 / (len(judged) + SHRINKAGE) if judged else None
    row["rating_text_gap_30d"] = sum(gaps) / len(gaps) if gaps else None
    purchases = [one for one in told if one.what == "purchase"]
    row["lifetime_purchases"] = len(purchases)
    row["lifetime_revenue"] = micros(purchases) / 1e6
    row["tenure_days"] = (instant - min(one.timestamp for one in told)) / DAY
    row["title"] = _newest([(one.timestamp, one.title) for one in told], str.encode)
    row["category"] = _newest([(one.timestamp, one.category) for one in told], str.encode)
    row["price"] = _newest([(one.timestamp, one.price) for one in told], float)
    left = says(row["title"] or "")
    vector = np.asarray((embed(left) if left else None) or np.zeros(64))
    length = float(np.linalg.norm(vector))
    row[VECTOR] = vector / length if length else vector
    return row


def _newest(said: Sequence[tuple[int, Any]], order: Callable[[Any], Any]) -> Any:
    """What was said last; of several at one time the greatest."""
    known = [(timestamp, order(value), value) for timestamp, value in said if value is not None]
    return max(known, key=lambda one: one[:2])[2] if known else None


def differing(served: dict[str, Any], wanted: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The fields in which a row is not, in the contract's sense, the wanted one."""
    found = {}
    for name, value in wanted.items():
        if name == VECTOR:
            same = np.allclose(served[name], value, rtol=0, atol=1e-5)
        elif name in TO_A_DIGIT and value is not None and served[name] is not None:
            same = abs(served[name] - value) <= 1e-4
        else:
            same = served[name] == value
        if not same:
            found[name] = (served[name], value)
    return found
