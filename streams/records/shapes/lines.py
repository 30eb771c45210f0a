"""The lines of one event, each with its product, as clicks of the contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import orjson

from streams.contract import CLICKS
from streams.exceptions import InvalidEventError
from streams.records.events import Action
from streams.records.fields import refuse
from streams.records.ndjson import Record, RejectedLine, reject_line
from streams.records.rejection import Reason

MAX_LINES: Final = 1000
"""Most lines of one event. A line of 8 MiB could otherwise become a million records."""

_WITH_QUANTITY: Final = (Action.PURCHASE, Action.CART, Action.REMOVE, Action.REFUND)
"""Elsewhere a quantity says nothing, and programs fill it with 0."""


class Envelope(NamedTuple):
    """What the lines of one event share.

    Attributes:
        event: its name where it comes from, for refusals.
        event_id: of the event; at most 200 UTF-8 bytes, so that the number of a line fits behind it.
        user_id: of the shopper.
        timestamp: epoch ms.
        currency: of its prices; None when absent.
    """

    event: str
    event_id: str
    user_id: str
    timestamp: int
    currency: str | None


class Product(NamedTuple):
    """One line of an event.

    Attributes:
        item_id: of the product.
        title: what the shop calls it; None when absent.
        category: None when absent.
        price: of one piece; None when absent.
        quantity: number of pieces; None when absent.
        currency: of the price, if it is not that of the event.
    """

    item_id: str
    title: str | None
    category: str | None
    price: int | float | None
    quantity: int | float | None
    currency: str | None = None


def record(topic: str, user_id: str, fields: dict[str, Any]) -> Record:
    """Return the record of an event; fields that are None are left out."""
    given = {"user_id": user_id} | {name: value for name, value in fields.items() if value is not None}
    return Record(topic, user_id.encode(), orjson.dumps(given))


def click(envelope: Envelope, event_id: str, action: Action, product: Product, order_id: str | None = None) -> Record:
    """Return the click of one line."""
    return record(
        CLICKS,
        envelope.user_id,
        {
            "event_id": event_id,
            "item_id": product.item_id,
            "action": action.value,
            "timestamp": envelope.timestamp,
            "category": product.category,
            "price": product.price,
            "quantity": product.quantity if action in _WITH_QUANTITY else None,
            "currency": None if product.price is None else product.currency or envelope.currency,
            "order_id": order_id,
            "title": product.title,
        },
    )


def whole_refund(envelope: Envelope, order_id: str, total: int | float | None) -> Record:
    """Return the click of an order that is refunded without a list of products: the order stands for the item.

    Args:
        envelope: of the event.
        order_id: of the order.
        total: money given back; None when absent.
    """
    product = Product(item_id=order_id, title=None, category=None, price=total, quantity=None)
    return click(envelope, envelope.event_id, Action.REFUND, product, order_id)


def clicks(
    line: bytes,
    envelope: Envelope,
    action: Action,
    lines: Any,
    read: Callable[[Any, str], Product],
    name: str,
    order_id: str | None = None,
) -> list[Record | RejectedLine]:
    """Return one click per line of an event, its id with the number of the line behind it, from 0.

    Lines that cannot be read are left out, and one rejection stands for them all. It names the first of them.

    Args:
        line: the JSON line as it came.
        envelope: what the lines share.
        action: of the clicks.
        lines: the value that should be an array of lines.
        read: reads one line, given its name.
        name: of the array, for the rejection.
        order_id: of the clicks.

    Raises:
        InvalidEventError: `lines` is no array of 1 to `MAX_LINES` lines.
    """
    if type(lines) is not list or not 1 <= len(lines) <= MAX_LINES:
        found = "" if type(lines) is not list else "more" if lines else "an empty one"
        refuse(name, f"an array of 1 to {MAX_LINES} products", lines, found)
    records: list[Record | RejectedLine] = []
    fault = ""
    for index, fields in enumerate(lines):
        try:
            product = read(fields, f"{name}[{index}]")
        except InvalidEventError as error:
            fault = fault or str(error)
            continue
        records.append(click(envelope, f"{envelope.event_id}/{index}", action, product, order_id))
    if fault:
        records.append(reject_line(CLICKS, line, f"{envelope.event}: {fault}", Reason.INVALID))
    return records
