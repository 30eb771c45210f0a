"""A seeded shopper simulator around real orders: searches, clicks and reviews as NDJSON lines.

Real are all purchases: the household, the instant, the items with their titles and categories, the pieces and the
money. Everything else is invented: visits, queries, views, carts, favorites, the items of those and their prices,
ratings and texts. Invented clicks carry no title. A review names an item and a category that were bought, because
people review what they have; nothing else that is simulated depends on what was bought. The simulator never reads
`units` or `paid` except to copy them into the purchase, so **no simulated event, and no simulated text in
particular, carries any information about real spend**. A lift measured from them would be an artefact.

The future has no effect on the past, except for the visit before an order. It (searches, views, often a cart)
begins at most 90 minutes before the order and on the same UTC day, so features as of a midnight have seen no effect
of any later order. Browsing without an order follows a Poisson process from the customer's first order to the end
of the period, at a rate drawn without looking at the other orders: it goes on whether or not the customer ever buys
again. A review depends on the order it follows, nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from streams.offline.sample import faults as delivery
from streams.offline.sample.orders import PERIOD_END, Order
from streams.offline.sample.shopper import Habits, Shopper, chance, life

DEFAULT_SEED: Final = 2017


def simulate(
    orders: Iterable[Order],
    *,
    seed: int = DEFAULT_SEED,
    visits_per_order: float = 0.25,
    reviews_per_order: float = 0.05,
    searches_per_visit: float = 0.9,
    visits_per_year: float = 6.0,
    faults: bool = True,
    until: int = PERIOD_END,
) -> Iterator[dict[str, Any]]:
    """Yield the lines `{"topic": ..., "value": ...}` of a simulated shop, in order of arrival.

    Every line of an order becomes exactly one `purchase` click, see `Purchase.click`. Lines arrive at their event's
    `timestamp`, but for the faults. The same arguments give the same lines; a customer's valid events do not depend
    on other customers.

    Args:
        orders: real orders, in any order; the lines are built in memory.
        seed: of everything simulated.
        visits_per_order: chance that an order is preceded by a visit, 0 to 1.
        reviews_per_order: chance that an item of an order is reviewed, 0 to 1; the review comes 2 to 20 days later,
            or never when that is not before `until`.
        searches_per_visit: mean number of searches of a visit, with or without an order.
        visits_per_year: mean number of visits without an order, per customer and year.
        faults: whether to add duplicates, late arrivals and bad lines (see `streams.offline.sample.faults`); the
            valid events are the same with and without.
        until: epoch milliseconds at which browsing and reviewing end.

    Raises:
        ValueError: a rate is negative, or a chance is above 1.
    """
    chances, rates = (visits_per_order, reviews_per_order), (searches_per_visit, visits_per_year)
    if not all(0 <= share <= 1 for share in chances) or min(rates) < 0:
        raise ValueError(
            "expected visits_per_order and reviews_per_order from 0 to 1 and no negative rate, found "
            f"{visits_per_order=}, {reviews_per_order=}, {searches_per_visit=}, {visits_per_year=}"
        )
    habits = Habits(visits_per_order, reviews_per_order, searches_per_visit, visits_per_year)
    of_customer: dict[str, list[Order]] = {}
    for order in sorted(orders, key=lambda order: (order.timestamp, order.order_id)):
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
