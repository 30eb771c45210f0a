"""The review texts that the benchmarks send: the simulator's, each made distinct so that no cache answers for it."""

from __future__ import annotations

from typing import Any

from streams.offline.sample.orders import demo_orders
from streams.offline.sample.simulator import simulate


def review_texts(limit: int = 2000) -> list[str]:
    """Return the simulator's distinct review texts."""
    texts: dict[str, None] = {}
    for line in simulate(demo_orders()):
        value = line.get("value")
        if line["topic"] == "reviews" and isinstance(value, dict) and isinstance(value.get("text"), str):
            texts[value["text"]] = None
            if len(texts) == limit:
                break
    return list(texts)


def review(number: int, user: int, text: str) -> dict[str, Any]:
    """Return one review as a JSON object; its number makes the text one that was never read before."""
    return {
        "event_id": f"review-{number:010d}",
        "user_id": f"shopper-{user:07d}",
        "item_id": f"item-{number % 50_000:06d}",
        "text": f"{text} No. {number % 1_000_000}",
        "rating": 1 + number % 5,
        "timestamp": 0,
        "category": "jazz",
    }
