"""The real orders: baskets of Complete Journey, and the slice of them that the demo plays."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from typing import Final

from streams.offline.complete_journey.purchases import CURRENCY, Purchase, customers, purchases

__all__ = [
    "CURRENCY",
    "PERIOD_END",
    "Order",
    "customers",
    "demo_orders",
    "drawn",
    "is_held_out",
    "judged_customers",
    "orders",
]

PERIOD_END: Final = int(datetime(2018, 1, 1, tzinfo=UTC).timestamp()) * 1000
"""The instant the observation ends (exclusive), in epoch milliseconds: midnight UTC after 2017-12-31."""

DEMO_BEGIN: Final = int(datetime(2017, 9, 1, tzinfo=UTC).timestamp()) * 1000
"""The instant the demo's slice begins, in epoch milliseconds."""

DEMO_CUSTOMERS: Final = 200
"""Held-out households in the slice: as many as leave the demo at about a minute on two cores."""

JUDGED_CUSTOMERS: Final = 300
"""Households of each half in the report: their events are in memory all at once."""


@dataclass(frozen=True, slots=True)
class Order:
    """One real order: a basket.

    Attributes:
        customer_id: the household's number in the data, as text.
        order_id: the basket's number.
        timestamp: epoch milliseconds, UTC.
        lines: of the basket, at least one.
    """

    customer_id: str
    order_id: str
    timestamp: int
    lines: tuple[Purchase, ...]

    @property
    def units(self) -> int:
        """Number of pieces."""
        return sum(line.units for line in self.lines)

    @property
    def dollars(self) -> float:
        """Value of the whole order, to the cent."""
        return round(sum(line.paid for line in self.lines), 2)


def is_held_out(customer_id: str) -> bool:
    """Tell whether a customer belongs to the half that no scorer may be trained on.

    The half is that of the ids whose SHA-256 (of the UTF-8 bytes) starts with a hexadecimal digit 8 to f: it
    depends on nothing but the id, so it holds in every run, process and version.
    """
    return _digest(customer_id)[0] >= 0x80


def orders(chosen: Collection[str] | None = None, *, begin: int = 0) -> list[Order]:
    """Return the orders of customers before `PERIOD_END`, in order of time; every call returns the same list.

    Args:
        chosen: the customers; None for all.
        begin: epoch milliseconds; earlier orders are left out.

    Raises:
        ConfigurationError: the package is not installed, or is not the one expected.
    """
    lines = (line for line in purchases(chosen) if begin <= line.timestamp < PERIOD_END)
    return [
        Order(first.household, basket, first.timestamp, (first, *rest))
        for basket, (first, *rest) in itertools.groupby(lines, attrgetter("basket"))
    ]


def demo_orders() -> list[Order]:
    """Return the demo's slice: orders of held-out households from September to December 2017."""
    return orders(_drawn_from(filter(is_held_out, customers()), DEMO_CUSTOMERS), begin=DEMO_BEGIN)


def judged_customers() -> list[str]:
    """Return households of both halves, for the report: those held out are judged, the others fit its baselines."""
    everybody = customers()
    apart = _drawn_from(filter(is_held_out, everybody), JUDGED_CUSTOMERS)
    return apart + _drawn_from(itertools.filterfalse(is_held_out, everybody), JUDGED_CUSTOMERS)


def drawn(number: int) -> list[str]:
    """Return so many customers, or all if there are fewer: always the same, and fewer of them are among more."""
    return _drawn_from(customers(), number)


def _drawn_from(among: Iterable[str], number: int) -> list[str]:
    """Return the first customers in the order of a hash of their ids: a sample that never moves."""
    return sorted(among, key=lambda customer: _digest(f"drawn/{customer}"))[:number]


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
