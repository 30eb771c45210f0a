"""Orders in the format of the full CDNOW data, lists of customers, and their split into two halves."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from features.tiles import DAY
from streams.exceptions import ConfigurationError
from streams.offline.backtest.cdnow import CLOSES_MS, OPENS_MS, Order

_COLUMNS: Final = 4
_BETWEEN: Final = re.compile(r"\s*[,;\t]\s*|\s+")
_HAS_DIGIT: Final = re.compile("[0-9]")
_EXPECTED: Final = "expected customer_id, date (YYYYMMDD or YYYY-MM-DD), number_of_cds and dollar_value"


def read_orders(path: Path) -> list[Order]:
    """Read a file of orders, four columns between white space or commas: customer, date, number of CDs, dollars.

    A first line whose columns are all words is a header, and is passed over.
    Each order is placed between 09:00 and 23:00 UTC of its date, at a time drawn from its customer and its place among
    that customer's orders, as `streams.offline.backtest.cdnow` does it.

    Raises:
        ConfigurationError: the file holds no order, or a line that is no order.
        OSError: the file cannot be read.
    """
    placed: list[Order] = []
    position: dict[str, int] = {}
    first = True
    # A byte order mark at the start of a file is no part of its first line.
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            fields = [field.strip('"') for field in _BETWEEN.split(line.strip())]
            if not any(fields):
                continue
            if not first or any(map(_HAS_DIGIT.search, fields)):
                placed.append(_parse(fields, f"{path}, line {number}", position))
            first = False
    if not placed:
        raise ConfigurationError(f"{path}: {_EXPECTED} on each line, found no line; pass a file of orders")
    return placed


def _parse(fields: Sequence[str], where: str, position: dict[str, int]) -> Order:
    if len(fields) != _COLUMNS:
        raise ConfigurationError(f"{where}: {_EXPECTED}, found {len(fields)} columns; pass the master format")
    customer, date, units, dollars = fields
    nth = position[customer] = position.get(customer, -1) + 1
    clock = random.Random(f"cdnow/{customer}/{nth}")
    try:
        midnight = int(datetime.strptime(date.replace("-", ""), "%Y%m%d").replace(tzinfo=UTC).timestamp()) * 1000
        order = Order(customer, midnight + clock.randrange(OPENS_MS, CLOSES_MS), int(units), float(dollars))
    except ValueError as error:
        raise ConfigurationError(f"{where}: {_EXPECTED}, found something else; mend the line") from error
    if order.units < 0 or not 0 <= order.dollars < float("inf"):
        raise ConfigurationError(f"{where}: expected numbers from 0 up, found another; mend the line")
    return order


def by_customer(orders: Iterable[Order]) -> dict[str, list[Order]]:
    """Return each customer's orders by time. The orders of one day (UTC) are summed into the first of the day."""
    days: dict[tuple[str, int], Order] = {}
    for order in sorted(orders, key=lambda order: order.timestamp):
        key = order.customer_id, order.timestamp // DAY
        first = days.get(key)
        days[key] = (
            order
            if first is None
            else replace(first, units=first.units + order.units, dollars=first.dollars + order.dollars)
        )
    customers: dict[str, list[Order]] = {}
    for (customer, _), order in days.items():
        customers.setdefault(customer, []).append(order)
    return customers


def read_customers(path: Path, known: Iterable[str]) -> list[str]:
    """Read a list of customers, one id a line; leading zeros do not count.

    Args:
        path: the list.
        known: the ids of the orders as written there; the returned ids are among them.

    Raises:
        ConfigurationError: the list is empty, or holds ids without an order.
        OSError: the file cannot be read.
    """
    written = {_number(customer): customer for customer in known}
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    asked = {_number(line.strip()) for line in lines if line.strip()}
    strange = sum(customer not in written for customer in asked)
    if strange or not asked:
        raise ConfigurationError(
            f"{path}: expected ids of customers with orders, one a line, found {strange} without an order among "
            f"{len(asked)}; check that the list belongs to the orders"
        )
    return sorted(written[customer] for customer in asked)


def halves(customers: Iterable[str], seed: int) -> tuple[list[str], list[str]]:
    """Split customers at random into two halves, to train on and to test on."""
    drawn = sorted(customers)
    random.Random(f"backtest/{seed}").shuffle(drawn)
    middle = len(drawn) // 2
    return sorted(drawn[:middle]), sorted(drawn[middle:])


def _number(customer: str) -> str:
    return customer.lstrip("0") or "0"
