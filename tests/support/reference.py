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
    "refunds": "refund",
}
TITLE_WEIGHTS = {"purchase": 1.0, "favorite": 0.5, "cart": 0.5, "view": 0.25}
REMEMBERED_ORDERS = 64


@dataclass(frozen=True)
class Raw:
    """One valid event: `what` is an action, "search" or "review"; `vector` and `title` are projected embeddings.

    `title` is None for a click without a title and for one whose title says nothing.
    """

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
    order_id: str | None = None
    title: tuple[float, ...] | None = None


def unique(events: Sequence[Raw]) -> list[Raw]:
    seen: set[tuple[str, str]] = set()
    kept = []
    for event in events:
        if (event.topic, event.event_id) not in seen:
            seen.add((event.topic, event.event_id))
            kept.append(event)
    return kept


def order_times(events: Sequence[Raw]) -> list[int]:
    """When each order counts, of events in the order of their offsets: at its earliest line."""
    times: list[int] = []
    # By id, in the order of first entry, where in `times` a remembered order stands.
    remembered: dict[str, int] = {}
    for event in events:
        if event.what != "purchase" or event.price is None:
            continue
        if event.order_id in remembered:
            place = remembered[event.order_id]
            times[place] = min(times[place], event.timestamp)
            continue
        if event.order_id is not None:
            remembered[event.order_id] = len(times)
            if len(remembered) > REMEMBERED_ORDERS:
                del remembered[next(iter(remembered))]
        times.append(event.timestamp)
    return times


def vector(terms: Sequence[tuple[float, int, tuple[float, ...]]], half_life: int) -> np.ndarray:
    """The unit vector of the terms (weight, time, projected embedding); zeros for none."""
    total = np.zeros(64)
    # T cancels, and as of a T long after the newest term nothing would be left of the sum.
    instant = max((timestamp for _, timestamp, _ in terms), default=0)
    for weight, timestamp, term in terms:
        total = total + weight * 2.0 ** (-(instant - timestamp) / half_life) * np.asarray(term)
    length = float(np.linalg.norm(total))
    return total / length if length else total


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

    def money(clicks: Sequence[Raw]) -> int:
        return micros([e.price * e.quantity for e in clicks if e.price is not None])

    def spend(clicks: Sequence[Raw]) -> float:
        return money(clicks) / 1e6

    orders = order_times(events)

    row: dict[str, object] = {"event_time": instant, "revision": len(events)}
    for window in WINDOWS:
        for name, what in COUNTS.items():
            row[f"{name}_{window}"] = len(inside(window, what))
        row[f"spend_{window}"] = spend(inside(window, "purchase"))
        row[f"refunded_{window}"] = spend(inside(window, "refund"))
        length, hop = WINDOWS[window]
        row[f"orders_{window}"] = sum(time >= (instant - length) // hop * hop for time in orders)
        row[f"units_{window}"] = sum(e.quantity for e in inside(window, "purchase") if e.price is not None)
    bought = [e for e in inside("30d", "purchase") if e.price is not None]
    viewed = [e for e in inside("7d", "view") if e.price is not None]
    reviews = inside("30d", "review")
    views = len(inside("30d", "view"))
    row["average_order_value_30d"] = spend(bought) / row["orders_30d"] if row["orders_30d"] else None
    row["mean_paid_30d"] = spend(bought) / row["units_30d"] if row["units_30d"] else None
    row["net_spend_30d"] = (money(bought) - money(inside("30d", "refund"))) / 1e6
    row["conversion_30d"] = len(inside("30d", "purchase")) / views if views else None
    row["mean_viewed_price_7d"] = micros([e.price for e in viewed]) / 1e6 / len(viewed) if viewed else None
    row["mean_rating_30d"] = micros([e.rating for e in reviews]) / 1e6 / len(reviews) if reviews else None
    row["noisy_reviews_30d"] = sum(e.noisy for e in reviews)
    purchases = [e for e in events if e.what == "purchase"]
    row["lifetime_purchases"] = len(purchases)
    row["lifetime_spend"] = spend(purchases)
    row["lifetime_orders"] = len(orders)
    row["lifetime_refunded"] = spend([e for e in events if e.what == "refund"])
    row["tenure_days"] = (instant - min(e.timestamp for e in events)) / DAY
    last = max((e.timestamp for e in purchases), default=None)
    row["days_since_last_purchase"] = None if last is None else (instant - last) / DAY
    texts = [(e.weight, e.timestamp, e.vector) for e in events if e.weight and e.vector is not None]
    row["profile_vector"] = vector(texts, 14 * DAY)
    titles = [(TITLE_WEIGHTS[e.what], e.timestamp, e.title) for e in events if e.title and e.what in TITLE_WEIGHTS]
    row["taste_vector"] = vector(titles, 60 * DAY)
    return row
