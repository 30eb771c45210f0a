"""The behaviour of one simulated shopper around real orders: visits and reviews, as events of the contract."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from features.tiles import DAY
from streams.contract import CLICKS, REVIEWS, SEARCHES
from streams.offline.sample import phrases
from streams.offline.sample.orders import Order
from streams.offline.sample.phrases import CATEGORIES, Language

_MINUTE: Final = 60_000
_LONGEST_VISIT: Final = 90 * _MINUTE
_LOCALES: Final = {"en": "en-US", "zh": "zh-CN"}
_CHINESE_SHARE: Final = 0.2
_NOISE_SHARE: Final = 0.04
_RATINGS: Final = ((5, 4, 3, 2, 1), (0.45, 0.25, 0.13, 0.09, 0.08))
_TASTE_WEIGHTS: Final = (6, 3, 1)
_ITEMS_PER_CATEGORY: Final = 40
_PRICES: Final = (0.99, 1.49, 1.99, 2.49, 3.49, 4.99)

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Habits:
    """The amount of behaviour around an order and without one."""

    visits_per_order: float
    reviews_per_order: float
    searches_per_visit: float
    visits_per_year: float


@dataclass(frozen=True, slots=True)
class Shopper:
    """The traits of a simulated shopper, drawn from the id and never from the orders."""

    customer_id: str
    language: Language
    taste: tuple[str, str, str]
    visits_per_year: float

    @classmethod
    def draw(cls, customer_id: str, seed: int, habits: Habits) -> Shopper:
        """Draw a shopper; the rate of visits is gamma distributed around its mean (shape 2)."""
        rng = chance(seed, customer_id)
        weights = [1 / rank for rank in range(1, len(CATEGORIES) + 1)]
        first, second, third = rng.choices(CATEGORIES, weights, k=3)
        language: Language = "zh" if rng.random() < _CHINESE_SHARE else "en"
        rate = habits.visits_per_year * rng.gammavariate(2.0, 0.5)
        return cls(customer_id, language, (first, second, third), rate)

    def category(self, rng: random.Random) -> str:
        """Draw the category of a visit, nearly always one from this shopper's taste."""
        return rng.choice(CATEGORIES) if rng.random() < 0.1 else rng.choices(self.taste, _TASTE_WEIGHTS)[0]


def chance(seed: int, *names: str) -> random.Random:
    """Return a separate source of chance for each purpose, so that no draw shifts another.

    A string seed goes through SHA-512: it does not depend on the interpreter's hash seed.
    """
    return random.Random("/".join((str(seed), *names)))


def life(shopper: Shopper, orders: list[Order], seed: int, habits: Habits, until: int) -> Iterator[tuple[str, Event]]:
    """Yield everything one shopper does, as (topic, event): around each order, then without one.

    Args:
        shopper: the shopper.
        orders: this shopper's orders by time, at least one.
        seed: of everything simulated.
        habits: the amount of behaviour.
        until: epoch milliseconds at which browsing and reviewing end.
    """
    for order in orders:
        yield from _order(shopper, order, chance(seed, order.order_id), habits, until)
    rng = chance(seed, shopper.customer_id, "browsing")
    start, number = orders[0].timestamp, 0
    while shopper.visits_per_year > 0:
        start += int(rng.expovariate(shopper.visits_per_year / (365 * DAY)))
        end = start + rng.randint(2, 30) * _MINUTE
        if end >= until:
            return
        number += 1
        steps = _steps(rng, habits, favorite=0.1, cart=0.15, remove=0.05)
        yield from _visit(rng, shopper, f"{shopper.customer_id}-b{number}", steps, (start, end))


def _order(
    shopper: Shopper, order: Order, rng: random.Random, habits: Habits, until: int
) -> Iterator[tuple[str, Event]]:
    name = f"{order.order_id}-v"
    visits = rng.random() < habits.visits_per_order
    steps = _steps(rng, habits, favorite=0.12, cart=0.8, remove=0.05)
    # Not before the order's own day: no cut-off at a midnight ever falls between a visit and its order.
    start = max(order.timestamp - rng.randint(10 * _MINUTE, _LONGEST_VISIT), order.timestamp // DAY * DAY)
    if visits and start < order.timestamp:
        yield from _visit(rng, shopper, name, steps, (start, order.timestamp))
    for line in order.lines:
        yield CLICKS, line.click()
    written = order.timestamp + rng.randint(2 * DAY, 20 * DAY)
    if rng.random() < habits.reviews_per_order and written < until:
        line = rng.choice(order.lines)
        yield REVIEWS, _review(rng, shopper, f"{order.order_id}-r", line.product, line.item.category, written)


def _steps(rng: random.Random, habits: Habits, *, favorite: float, cart: float, remove: float) -> list[str]:
    whole, part = divmod(habits.searches_per_visit, 1)
    searches = int(whole) + (rng.random() < part)
    steps = ["search"] * searches + ["view"] * rng.choice((1, 1, 2, 2, 3))
    steps += ["favorite"] * (rng.random() < favorite)
    if rng.random() < cart:
        steps += ["cart"] + ["remove"] * (rng.random() < remove)
    return steps


def _visit(
    rng: random.Random, shopper: Shopper, name: str, steps: list[str], span: tuple[int, int]
) -> Iterator[tuple[str, Event]]:
    """Yield the steps of a visit in order, at times drawn between its start and its end (exclusive)."""
    category = shopper.category(rng)
    item = _item(rng, category)
    moments = sorted(rng.randrange(*span) for _ in steps)
    for number, (step, moment) in enumerate(zip(steps, moments, strict=True)):
        event: Event = {
            "event_id": f"{name}-{number}",
            "user_id": shopper.customer_id,
            "timestamp": moment,
            "category": category,
        }
        if step == "search":
            text = phrases.query(rng, category, shopper.language)
            yield SEARCHES, event | {"query": text, "results": rng.randrange(200)}
            continue
        # The view before a favorite or a cart is of that item; earlier ones look around.
        looking = step == "view" and steps[number + 1 : number + 2] == ["view"]
        seen = _item(rng, category) if looking else item
        yield (
            CLICKS,
            event | {"item_id": seen, "action": step, "price": _catalogue_price(seen), "session_id": name},
        )


def _review(rng: random.Random, shopper: Shopper, event_id: str, item: str, category: str, written: int) -> Event:
    rating = rng.choices(*_RATINGS)[0]
    worthless = rng.random() < _NOISE_SHARE
    text = phrases.noise(rng, category) if worthless else phrases.review(rng, category, shopper.language, rating)
    return {
        "event_id": event_id,
        "user_id": shopper.customer_id,
        "item_id": item,
        "text": text,
        "rating": rating,
        "timestamp": written,
        "category": category,
        "locale": _LOCALES[shopper.language],
    }


def _item(rng: random.Random, category: str) -> str:
    return f"{category}-{rng.randrange(_ITEMS_PER_CATEGORY):02d}"


def _catalogue_price(item: str) -> float:
    """Return the price that is shown for an invented item, unrelated to any that was paid."""
    return _PRICES[int(item.rpartition("-")[2]) % len(_PRICES)]
