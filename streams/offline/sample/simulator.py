"""A seeded shopper simulator around real orders: clicks, searches and reviews as NDJSON lines.

Real are the customer, the day, the number of CDs and the dollars of every purchase. Everything else is
invented: times of day, visits, queries, views, carts, favorites, categories, items, catalogue prices, ratings
and texts. The simulator never reads `units` or `dollars` except to copy them into the purchase, so **no
simulated event, and no simulated text in particular, carries any information about real spend**. A lift
measured from them would be an artefact.

The future has no effect on the past, except for the visit that ends in an order. That visit (searches,
views, often a cart) begins at most 90 minutes before the order and on the same UTC day, so features as of a
midnight have seen no effect of any later order. Browsing without an order follows a Poisson process from the
customer's first order to the end of the period, at a rate drawn without looking at the other orders: it goes
on whether or not the customer ever buys again. A review depends on the order it follows, nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, Final

from streams.offline.sample import faults as delivery
from streams.offline.sample.cdnow import PERIOD_END, Order
from streams.offline.sample.phrases import CATEGORIES
from streams.offline.sample.shopper import Habits, Shopper, chance, life

__all__ = ["CATEGORIES", "DEFAULT_SEED", "is_held_out", "simulate", "train_customers"]

DEFAULT_SEED: Final = 1997


def is_held_out(customer_id: str) -> bool:
    """Tell whether a customer belongs to the half that no scorer may be trained on.

    The half is that of the ids whose SHA-256 (of the UTF-8 bytes) starts with a hexadecimal digit 8 to f: it
    depends on nothing but the id, so it holds in every run, process and version.
    """
    return hashlib.sha256(customer_id.encode()).digest()[0] >= 0x80


def train_customers(customers: Iterable[str]) -> list[str]:
    """Return the customers that a scorer may be trained on (those not held out), in the order given."""
    return [customer for customer in customers if not is_held_out(customer)]


def simulate(
    orders: Iterable[Order],
    *,
    seed: int = DEFAULT_SEED,
    reviews_per_order: float = 0.25,
    searches_per_visit: float = 0.9,
    visits_per_year: float = 1.0,
    faults: bool = True,
    until: int = PERIOD_END,
) -> Iterator[dict[str, Any]]:
    """Yield the lines `{"topic": ..., "value": ...}` of a simulated shop, in order of arrival.

    Every order becomes exactly one `purchase` click, with `quantity` its units and `price` its dollars per
    unit: price x quantity is the order's dollars to the micro-unit. `currency` is left out, so that the lines
    fit any deployment. Lines arrive at their event's `timestamp`, but for the faults. The same arguments
    give the same lines; a customer's valid events do not depend on other customers.

    Args:
        orders: real orders, in any order; the lines are built in memory (about 42,000 for all of CDNOW).
        seed: of everything simulated.
        reviews_per_order: chance that an order is reviewed, 0 to 1; the review comes 2 to 20 days later, or
            never when that is not before `until`.
        searches_per_visit: mean number of searches of a visit, with or without an order.
        visits_per_year: mean number of visits without an order, per customer and year.
        faults: whether to add duplicates, late arrivals and bad lines (see `streams.offline.sample.faults`); the
            valid events are the same with and without.
        until: epoch milliseconds at which browsing and reviewing end.

    Raises:
        ValueError: a rate is negative, or `reviews_per_order` is above 1.
    """
    if not 0 <= reviews_per_order <= 1 or searches_per_visit < 0 or visits_per_year < 0:
        raise ValueError(
            "expected 0 <= reviews_per_order <= 1 and no negative rate, found "
            f"{reviews_per_order=}, {searches_per_visit=}, {visits_per_year=}"
        )
    habits = Habits(reviews_per_order, searches_per_visit, visits_per_year)
    of_customer: dict[str, list[Order]] = {}
    for order in sorted(orders, key=lambda order: order.timestamp):
        of_customer.setdefault(order.customer_id, []).append(order)

    arrivals: list[delivery.Arrival] = []
    for customer_id, own in of_customer.items():
        shopper = Shopper.draw(customer_id, seed, habits)
        for topic, event in life(shopper, own, seed, habits, until):
            if faults:
                rng = chance(seed, event["event_id"], "delivery")
                arrivals.extend(delivery.deliver(rng, topic, event))
            else:
                arrivals.append(delivery.Arrival.on_time(topic, event))
    if faults and of_customer:
        first = min(own[0].timestamp for own in of_customer.values())
        arrivals.extend(delivery.bad_lines(chance(seed, "bad lines"), sorted(of_customer), first, until))
    arrivals.sort(key=lambda arrival: (arrival.at, arrival.name))
    return (arrival.line for arrival in arrivals)
