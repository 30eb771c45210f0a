"""The fields of an item by brute force: every definition of the contract, applied to what is said of one item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from support.reference import DAY, WINDOWS

COUNTS = {
    "views": "view",
    "favorites": "favorite",
    "carts": "cart",
    "removes": "remove",
    "purchases": "purchase",
    "refunds": "refund",
    "reviews": "review",
}


@dataclass(frozen=True)
class Said:
    """One applied click or review of an item: `what` is an action or "review".

    `timestamp` is already that of the fact. `polarity` is None for a text that has none, and `vector` is the projected
    embedding of the title, None for a title that says nothing.
    """

    what: str
    timestamp: int
    price: float | None = None
    quantity: int = 1
    rating: float | None = None
    noisy: bool = False
    polarity: float | None = None
    title: str | None = None
    vector: tuple[float, ...] | None = None
    category: str | None = None


def fields(said: Sequence[Said], as_of: int | None = None) -> dict[str, object]:
    """Every field of an item from all that was said of it, each once."""
    newest = max(one.timestamp for one in said)
    instant = newest if as_of is None else max(as_of, newest)

    def inside(window: str, what: str) -> list[Said]:
        length, hop = WINDOWS[window]
        lower = (instant - length) // hop * hop
        return [one for one in said if one.what == what and lower <= one.timestamp <= instant]

    def money(clicks: Sequence[Said]) -> float:
        return sum(round(one.price * one.quantity * 1e6) for one in clicks if one.price is not None) / 1e6

    row: dict[str, object] = {"event_time": instant, "revision": len(said)}
    for window in WINDOWS:
        for name, what in COUNTS.items():
            row[f"{name}_{window}"] = len(inside(window, what))
        bought = [one for one in inside(window, "purchase") if one.price is not None]
        row[f"units_{window}"] = sum(one.quantity for one in bought)
        row[f"revenue_{window}"] = money(bought)
        row[f"refunded_{window}"] = money(inside(window, "refund"))
    views, units = row["views_7d"], row["units_30d"]
    row["conversion_7d"] = row["purchases_7d"] / views if views else None
    row["mean_paid_30d"] = row["revenue_30d"] / units if units else None
    reviews = inside("30d", "review")
    ratings = sum(round(one.rating * 1e6) for one in reviews) / 1e6
    row["mean_rating_30d"] = ratings / len(reviews) if reviews else None
    row["noisy_share_30d"] = sum(one.noisy for one in reviews) / len(reviews) if reviews else None
    judged = [one for one in reviews if one.polarity is not None]
    polarity = sum(round(one.polarity * 1e6) for one in judged) / 1e6
    row["polarity_30d"] = polarity / (len(judged) + 5) if judged else None
    gaps = [(one.rating - 3) / 2 - one.polarity for one in judged]
    row["rating_text_gap_30d"] = sum(gaps) / len(gaps) if gaps else None
    purchases = [one for one in said if one.what == "purchase"]
    row["lifetime_purchases"] = len(purchases)
    row["lifetime_revenue"] = money(purchases)
    row["tenure_days"] = (instant - min(one.timestamp for one in said)) / DAY
    titles = [(one.timestamp, one.title.encode(), one) for one in said if one.title is not None]
    newest_title = max(titles, key=lambda told: told[:2])[2] if titles else None
    categories = [(one.timestamp, one.category.encode()) for one in said if one.category is not None]
    row["title"] = None if newest_title is None else newest_title.title
    row["category"] = max(categories)[1].decode() if categories else None
    prices = [(one.timestamp, one.price) for one in said if one.price is not None]
    row["price"] = max(prices)[1] if prices else None
    vector = np.zeros(64) if newest_title is None or newest_title.vector is None else np.asarray(newest_title.vector)
    length = float(np.linalg.norm(vector))
    row["title_vector"] = vector / length if length else vector
    return row
