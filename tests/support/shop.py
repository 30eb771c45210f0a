"""A made-up shop: users with taste and means, and everything they did in it, as lines of an event file."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, Final

from features.tiles import DAY

Line = dict[str, Any]

OPENING: Final = 1_735_689_600_000
"""2025-01-01, in ms: the shop's first day."""

CATEGORIES: Final = ("garden", "kitchen", "lamps", "tools", "toys", "wool")
_PRICES: Final = dict(zip(CATEGORIES, (18.0, 35.0, 60.0, 80.0, 15.0, 9.0), strict=True))
_THINGS: Final = ("basket", "hook", "kettle", "ladder", "puzzle", "yarn", "shade", "rake", "spade", "bowl")
_QUALITIES: Final = ("small", "sturdy", "blue", "oak", "light", "heavy", "round", "folding")
_OPINIONS: Final = ("does its work", "broke after a week", "looks better than in the picture", "is a fair price")


def shop(users: int, days: int, *, seed: int = 0, visits_per_month: float = 1.5, wealth: float = 0.8) -> Iterator[Line]:
    """Yield the lines of a shop, in order of time.

    A user has means (log-normal) and a rate of visits (gamma). Both decide what is bought, so past and later spend are
    alike, and a scorer has something to learn.

    Args:
        users: who come; each joins on some day of the first half, or on the first.
        days: from the opening.
        seed: the same arguments give the same lines.
        visits_per_month: of a user, on average.
        wealth: spread of the logarithm of users' means; 0 leaves nothing to learn but the rate.
    """
    lines: list[tuple[int, str, Line]] = []
    for number in range(users):
        rng = random.Random(f"{seed}/{number}")
        lines += _life(rng, f"user-{number}", days, visits_per_month, wealth)
    lines.sort(key=lambda line: line[:2])
    return (line for _, _, line in lines)


def _life(rng: random.Random, user: str, days: int, visits: float, wealth: float) -> Iterator[tuple[int, str, Line]]:
    means = rng.lognormvariate(0, wealth)
    rate = visits / 30 * rng.gammavariate(0.8, 1.25)
    favourite = rng.choice(CATEGORIES)
    day = 0.0 if rng.random() < 0.5 else rng.uniform(0, days / 2)
    number = 0
    while (day := day + rng.expovariate(rate)) < days:
        at = OPENING + int(day * DAY)
        for topic, value in _visit(rng, means, favourite):
            number += 1
            at += rng.randrange(5_000, 300_000)
            later = at + rng.randrange(DAY, 14 * DAY) if topic == "reviews" else at
            if later < OPENING + days * DAY:
                event_id = f"{user}-{number}"
                common = {"event_id": event_id, "user_id": user, "timestamp": later}
                yield later, event_id, {"topic": topic, "value": common | value}


def _visit(rng: random.Random, means: float, favourite: str) -> Iterator[tuple[str, Line]]:
    category = favourite if rng.random() < 0.7 else rng.choice(CATEGORIES)
    item = {"category": category, "price": round(_PRICES[category] * means**0.5 * rng.lognormvariate(0, 0.4), 2)}
    thing = f"{rng.choice(_QUALITIES)} {rng.choice(_QUALITIES)} {rng.choice(_THINGS)}"
    name = {"item_id": thing.replace(" ", "-")}
    if rng.random() < 0.4:
        yield "searches", {"query": f"{thing} for {category}", "category": category}
    for _ in range(1 + rng.randrange(5)):
        yield "clicks", name | item | {"action": "view"}
    if rng.random() < 0.35:
        yield "clicks", name | item | {"action": "cart"}
        if rng.random() < min(0.9, 0.5 * means**0.5):
            yield "clicks", name | item | {"action": "purchase", "quantity": 1 + rng.randrange(2)}
            if rng.random() < 0.3:
                text = f"The {thing} {rng.choice(_OPINIONS)}."
                yield "reviews", name | {"text": text, "rating": rng.randrange(2, 6), "category": category}
