"""Random shoppers: NDJSON lines, and beside them the raw events of the brute-force reference."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson

from models.profile import Projection
from models.text.cleaning import clean
from models.text.noise import is_noisy
from streams.sources.arrived import Arrived
from streams.sources.reading import numbered
from support.encoders import HashEncoder
from support.reference import DAY, HOUR, Raw, unique

BASE = 1_760_000_000_000
TEXTS = (
    "Great sound, arrived on time",
    "质量很好，物流也快",
    "broken on arrival, asked for a refund",
    "",
    "加微信 vx123456 免费领取",
    "ok",
    "Best jazz record I own, five stars!!!",
)
ACTIONS = ("view", "view", "favorite", "cart", "remove", "purchase", "refund")
TITLES = (
    "Blue Train, 180 g vinyl",
    "黑胶唱片 蓝色列车",
    "<b>Kind of Blue</b> &amp; more",
    "🎷🎺",
    "",
    "加微信 vx123456 免费领取",
    "Giant Steps " * 200,
)
CLICKED = 40
"""Items that are clicked and reviewed; a third of it is of the first of them."""
ITEMS = 150
"""Items with a title of their own: so many that some of their titles are always seen for the first time."""
ORDERS = 40
"""Orders of a user at most: with no more than are remembered, any order of arrival gives the same."""
QUERIES = ("jazz vinyl", "黑胶唱片", "rtx 4090 ti", "", "blues cd")


def random_lines(seed: int, events: int, users: int) -> list[dict[str, Any]]:
    """Valid events in random order of time, with a few per cent repeated under the same id."""
    rng = random.Random(seed)
    lines = []
    for number in range(events):
        user = f"user-{int(rng.paretovariate(0.9)) % users}"
        age = rng.choice([rng.randrange(2 * HOUR), rng.randrange(3 * DAY), rng.randrange(45 * DAY), 800 * DAY])
        value: dict[str, Any] = {"event_id": f"e{number}", "user_id": user, "timestamp": BASE - age}
        topic = rng.choices(["clicks", "searches", "reviews"], [6, 2, 2])[0]
        if rng.random() < 0.5:
            value["category"] = rng.choice(["cheese", "coffee", "no such category"])
        if topic == "clicks":
            value |= {"item_id": item_of(number), "action": rng.choice(ACTIONS)}
            if rng.random() < 0.8:
                value |= {"price": rng.choice([0.0, 0.1, 0.2, 0.3, 19.99, 1234.56]), "quantity": rng.randrange(1, 4)}
            if rng.random() < 0.7:
                value["title"] = rng.choice([*TITLES, *(f"Record no. {rng.randrange(ITEMS)}" for _ in TITLES)])
            if value["action"] in ("purchase", "refund") and rng.random() < 0.8:
                value["order_id"] = f"o{rng.randrange(ORDERS)}"
        elif topic == "searches":
            value["query"] = rng.choice(QUERIES)
        else:
            value |= {"item_id": item_of(number), "text": rng.choice(TEXTS), "rating": rng.choice([1, 2.5, 4, 5])}
        lines.append({"topic": topic, "value": value})
        if rng.random() < 0.03:
            lines.append(lines[-1])
    return lines


def item_of(number: int) -> str:
    """The item of an event by its number, so that no other line of a seed changes because of it."""
    return f"i{number % CLICKED if number % 3 else 0}"


def without_titles(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same lines with no titles, so that clicks wait for nothing."""
    return [
        line | {"value": {name: field for name, field in line["value"].items() if name != "title"}} for line in lines
    ]


def encoded(lines: list[dict[str, Any]]) -> list[tuple[int, bytes]]:
    """Number the lines as they stand in a file."""
    return [(number, orjson.dumps(line)) for number, line in enumerate(lines, 1)]


def arriving(lines: list[dict[str, Any]]) -> Iterator[Arrived]:
    """Read the lines as those of no file."""
    return numbered(encoded(lines))


def raw_events(lines: list[dict[str, Any]], projection: Projection) -> dict[str, list[Raw]]:
    """What the reference is computed from: each user's events, repeated ones left out."""
    encoder = HashEncoder()

    def read(text: str) -> tuple[float, ...] | None:
        useful = "" if is_noisy(text) else clean(text)
        if not useful:
            return None
        return tuple(np.asarray(projection.apply(encoder.embed(encoder.tokenize([useful]))))[0].tolist())

    by_user: defaultdict[str, list[Raw]] = defaultdict(list)
    for line in lines:
        topic, value = line["topic"], line["value"]
        text = value.get("text", value.get("query", ""))
        vector = None if topic == "clicks" else read(text)
        by_user[value["user_id"]].append(
            Raw(
                topic=topic,
                event_id=value["event_id"],
                what={"searches": "search", "reviews": "review"}.get(topic) or value["action"],
                timestamp=value["timestamp"],
                price=value.get("price"),
                quantity=value.get("quantity", 1),
                rating=value.get("rating"),
                noisy=topic != "clicks" and is_noisy(text),
                weight=0.0 if vector is None else 0.5 if topic == "searches" else 1.0,
                vector=vector,
                order_id=value.get("order_id"),
                title=read(value.get("title") or ""),
            )
        )
    return {user: unique(events) for user, events in by_user.items()}
