"""How the demo writes money, days, latencies and what a shopper did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Final

from features.observation import to_micros
from features.users.row import Value
from streams.offline.sample.orders import Order

WORDS_TOLD: Final = 3
"""Categories that are named of an order."""

_COUNTED: Final = {
    "searches": ("search", "searches"),
    "view": ("view", "views"),
    "favorite": ("favourite", "favourites"),
    "cart": ("cart", "carts"),
    "remove": ("removal", "removals"),
    "reviews": ("review", "reviews"),
}
"""The names of simulated doings, in the order in which they are told."""


def money(amount: float, currency: str) -> str:
    """Write an amount with its currency."""
    return f"{currency} {amount:,.2f}"


def number(value: Value) -> str:
    """Write the value of a feature."""
    return "none" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def counted(amount: int, one: str, many: str) -> str:
    """Write a number of things."""
    return f"{amount:,} {one if amount == 1 else many}"


def day(of: date) -> str:
    """Write a date without its year."""
    return f"{of.day} {of:%b}"


def date_of(instant: int) -> str:
    """Write the date (UTC) of an instant (ms)."""
    of = datetime.fromtimestamp(instant / 1000, UTC)
    return f"{of.day} {of:%B %Y}"


def latency(percentiles: Mapping[str, float | None]) -> str:
    """Write percentiles of a latency, ms."""
    known = [f"{name} {value:,.0f} ms" for name, value in percentiles.items() if value is not None]
    return ", ".join(known) or "nothing scored yet"


def doings(orders: Sequence[Order], simulated: Mapping[str, int], currency: str) -> str:
    """Write what a shopper did on a day: real orders first, then what is simulated."""
    told = [
        f"{counted(len(order.lines), 'item', 'items')} for {money(order.dollars, currency)} ({_bought(order)})"
        for order in orders
    ]
    others = [counted(simulated[kind], *names) for kind, names in _COUNTED.items() if simulated.get(kind)]
    return ", ".join([f"bought {' and '.join(told)}", *others] if told else others)


def _bought(order: Order) -> str:
    """Write what an order was of: the categories on which most was spent."""
    paid: Counter[str] = Counter()
    for line in order.lines:
        paid[line.item.category] += to_micros(line.paid)
    return ", ".join(name for name, _ in paid.most_common(WORDS_TOLD)) + (", ..." if len(paid) > WORDS_TOLD else "")
