"""Orders made up for tests, and few real ones."""

from __future__ import annotations

from functools import cache

import pyarrow.compute as pc

from streams.offline.complete_journey.households import households
from streams.offline.complete_journey.package import parquet
from streams.offline.complete_journey.purchases import Item, Purchase
from streams.offline.sample.orders import Order, orders


def basket(customer: str, timestamp: int, *paid: float) -> Order:
    """Return an order of one piece of a product for each amount; categories and titles count from 0."""
    number = f"{customer}-{timestamp}"
    return Order(
        customer,
        number,
        timestamp,
        tuple(
            Purchase(customer, number, str(place), timestamp, 1, amount, Item(f"title {place}", f"kind {place}", False))
            for place, amount in enumerate(paid)
        ),
    )


@cache
def quiet_orders(customers: int) -> list[Order]:
    """Return the orders of a number of real customers: those with the fewest lines of whom income and age are known."""
    column = parquet("transactions", ["household_id"]).read(["household_id"])["household_id"]
    lines = {str(pair["values"]): pair["counts"] for pair in pc.value_counts(column).to_pylist()}
    known = sorted((household.user_id for household in households()), key=lambda user: (lines[user], user))
    return orders(known[:customers])
