"""Items as they sold in Complete Journey, with real reviews placed on their purchases.

It is a composite: no package ships reviews and orders of the same people. What is real is when an item was bought and
by whom, and each text with its praise or complaint; which purchase a text stands on, and when, is drawn.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from features.tiles import DAY, HOUR
from streams.offline.complete_journey.purchases import Purchase

LEAST_PURCHASES: Final = 60
"""Purchase lines in the year of an item that takes part."""
REVIEWED: Final = (0.05, 0.3)
"""Share of an item's purchases that are reviewed: drawn for each item between these."""
PRAISED: Final = (0.6, 0.95)
"""Share of an item's reviews that praise: likewise."""
WORDLESS: Final = 0.2
"""Share of reviews that have a rating and no word."""
NEW: Final = 0.2
"""Share of reviews by people who are new to the shop."""
MEAN_DELAY: Final = 3 * DAY
"""From a purchase to its review, on average, ms; the delays are exponential."""


class Said(NamedTuple):
    """A real text.

    Attributes:
        text: cleaned.
        praises: whether it praises; else it complains.
        polarity: -1..1, by a head that was not fitted to it.
    """

    text: str
    praises: bool
    polarity: float


class Written(NamedTuple):
    """A review.

    Attributes:
        timestamp: ms.
        rating: 1..5.
        said: its text; None for a rating without a word.
        new_reviewer: whether its writer is new to the shop.
    """

    timestamp: int
    rating: int
    said: Said | None
    new_reviewer: bool


@dataclass
class Item:
    """One item and its year.

    Attributes:
        name: of the item.
        language: of its reviews.
        reviewed: share of its purchases that are reviewed.
        praised: share of its reviews that praise.
        bought: times of its purchases, ms, ascending.
        reviews: in no order.
    """

    name: str
    language: str
    reviewed: float
    praised: float
    bought: list[int] = field(default_factory=list)
    reviews: list[Written] = field(default_factory=list)


def often_bought(purchases: Iterable[Purchase]) -> dict[str, list[int]]:
    """Return when each item was bought that is bought often enough, ms; fuel is left out.

    Args:
        purchases: by time.
    """
    times: dict[str, list[int]] = {}
    for purchase in purchases:
        if not purchase.item.fuel:
            times.setdefault(purchase.product, []).append(purchase.timestamp)
    return {product: times[product] for product in sorted(times) if len(times[product]) >= LEAST_PURCHASES}


def sold(times: Mapping[str, Sequence[int]], count: int, languages: Sequence[str], rng: random.Random) -> list[Item]:
    """Return items at random, each with its purchases and no review yet.

    Args:
        times: of the purchases of each item that may be drawn, ms, ascending.
        count: items wanted; all there are if they are fewer.
        languages: that an item's reviews may be in.
        rng: draws.
    """
    return [
        Item(name, rng.choice(languages), rng.uniform(*REVIEWED), rng.uniform(*PRAISED), list(times[name]))
        for name in rng.sample(list(times), min(count, len(times)))
    ]


def reviewed(
    item: Item, bought: Iterable[int], said: Mapping[bool, Sequence[Said]], rng: random.Random, new: float = NEW
) -> list[Written]:
    """Return honest reviews of purchases.

    Args:
        item: that was bought.
        bought: times of the purchases, ms.
        said: texts that praise, by True, and that complain.
        rng: draws.
        new: share of writers that are new to the shop.
    """
    found = []
    for when in bought:
        if rng.random() < item.reviewed:
            praises = rng.random() < item.praised
            text = None if rng.random() < WORDLESS else rng.choice(said[praises])
            delay = max(HOUR, round(rng.expovariate(1 / MEAN_DELAY)))
            rating = rng.choice((4, 5, 5) if praises else (1, 1, 2))
            found.append(Written(when + delay, rating, text, rng.random() < new))
    return found
