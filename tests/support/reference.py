"""The features by brute force: every definition of the contract, applied to raw events one user at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

HOUR = 3_600_000
DAY = 24 * HOUR
WINDOWS = {"1h": (HOUR, 300_000), "24h": (DAY, HOUR), "7d": (7 * DAY, HOUR), "30d": (30 * DAY, DAY)}
COUNTS = {
    "views": "view",
    "favorites": "favorite",
    "carts": "cart",
    "purchases": "purchase",
    "searches": "search",
    "reviews": "review",
    "removes": "remove",
}


@dataclass(frozen=True)
class Raw:
    """One valid event: `what` is an action, "search" or "review"; `vector` the projected embedding."""

    topic: str
    event_id: str
    what: str
    timestamp: int
    price: float | None = None
    quantity: int = 1
    rating: float | None = None
    noisy: bool = False
    weight: float = 0.0
    vector: tuple[float, ...] | None = None
    category: str | None = None


def unique(events: Sequence[Raw]) -> list[Raw]:
    seen: set[tuple[str, str]] = set()
    kept = []
    for event in events:
        if (event.topic, event.event_id) not in seen:
            seen.add((event.topic, event.event_id))
            kept.append(event)
    return kept


def features(events: Sequence[Raw], as_of: int | None = None) -> dict[str, object]:
    """Every feature of one user from the events applied (duplicates already taken out)."""
    newest = max(event.timestamp for event in events)
    instant = newest if as_of is None else max(as_of, newest)

    def inside(window: str, what: str) -> list[Raw]:
        length, hop = WINDOWS[window]
        lower = (instant - length) // hop * hop
        return [e for e in events if e.what == what and lower <= e.timestamp <= instant]

    def micros(values: Sequence[float]) -> int:
        return sum(round(value * 1e6) for value in values)

    def spend(purchases: Sequence[Raw]) -> float:
        return micros([e.price * e.quantity for e in purchases if e.price is not None]) / 1e6

    row: dict[str, object] = {"event_time": instant, "revision": len(events)}
    for window in WINDOWS:
        for name, what in COUNTS.items():
            row[f"{name}_{window}"] = len(inside(window, what))
        row[f"spend_{window}"] = spend(inside(window, "purchase"))
    bought = [e for e in inside("30d", "purchase") if e.price is not None]
    viewed = [e for e in inside("7d", "view") if e.price is not None]
    reviews = inside("30d", "review")
    views = len(inside("30d", "view"))
    row["average_order_value_30d"] = spend(bought) / len(bought) if bought else None
    row["conversion_30d"] = len(inside("30d", "purchase")) / views if views else None
    row["mean_viewed_price_7d"] = micros([e.price for e in viewed]) / 1e6 / len(viewed) if viewed else None
    row["mean_rating_30d"] = micros([e.rating for e in reviews]) / 1e6 / len(reviews) if reviews else None
    row["noisy_reviews_30d"] = sum(e.noisy for e in reviews)
    purchases = [e for e in events if e.what == "purchase"]
    row["lifetime_purchases"] = len(purchases)
    row["lifetime_spend"] = spend(purchases)
    row["tenure_days"] = (instant - min(e.timestamp for e in events)) / DAY
    last = max((e.timestamp for e in purchases), default=None)
    row["days_since_last_purchase"] = None if last is None else (instant - last) / DAY
    total = np.zeros(64)
    for event in events:
        if event.weight and event.vector is not None:
            fade = 2.0 ** (-(instant - event.timestamp) / (14 * DAY))
            total = total + event.weight * fade * np.asarray(event.vector)
    length = float(np.linalg.norm(total))
    row["profile_vector"] = total / length if length else total
    return row
