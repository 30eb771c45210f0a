"""Calls of Segment and RudderStack, whose events have the names of the e-commerce specification.

A line is one call, as the two deliver it to a topic or a file. docs/formats.md has the tables.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from streams.contract import CLICKS, REVIEWS, SEARCHES
from streams.exceptions import InvalidEventError
from streams.records.events import Action
from streams.records.fields import read_string, refuse
from streams.records.ndjson import Record, RejectedLine
from streams.records.shapes import segment_names as names
from streams.records.shapes.lines import Envelope, Product, click, clicks, record, whole_refund
from streams.records.shapes.translated import (
    NOT_ABOUT_A_PRODUCT,
    UNKNOWN_EVENT,
    Translated,
    read_object,
    refused,
    source_of,
)
from streams.records.shapes.values import (
    as_text,
    bounded_id,
    currency_of,
    digest,
    first,
    id_of,
    instant_of,
    number,
    object_of,
)

NAME: Final = "segment"

CALLS: Final = ("track", "page", "screen", "identify", "group", "alias")

_USER: Final = ("userId", "anonymousId")
_TIME: Final = ("timestamp", "originalTimestamp", "sentAt", "receivedAt")
_ITEM: Final = ("product_id", "productId", "id", "sku")
_ORDER: Final = ("order_id", "orderId")
_TOTAL: Final = ("total", "revenue", "value")
_TEXT: Final = ("review_body", "reviewBody", "body")


class _Call(NamedTuple):
    line: bytes
    fields: dict[str, Any]
    properties: dict[str, Any]
    envelope: Envelope


_Read = Callable[[_Call], Sequence[Record | RejectedLine]]


class _Taken(NamedTuple):
    topic: str
    read: _Read


def segment(line: bytes) -> Translated:
    """Return the records of a call."""
    return read_object(NAME, line, segment_fields)


def is_segment(fields: dict[str, Any]) -> bool:
    """Tell whether an object is a call."""
    return fields.get("type") in CALLS and any(name in fields for name in ("messageId", "event", *_USER))


def segment_fields(line: bytes, fields: dict[str, Any]) -> Translated:
    """Return the records of a call whose JSON is known."""
    call = fields.get("type")
    if type(call) is not str or call not in CALLS:
        return refused(NAME, line, f"type: expected one of {', '.join(CALLS)}, found another or none")
    if call != "track":
        return Translated(source_of(NAME, call), (), NOT_ABOUT_A_PRODUCT)
    event = fields.get("event")
    if type(event) is not str:
        return refused(source_of(NAME, call), line, "event: expected the name of an event, found none")
    name = names.name_of(event)
    source = source_of(NAME, name)
    taken = _TAKEN.get(name)
    if taken is None:
        return Translated(source, (), names.LEFT_OUT.get(name, UNKNOWN_EVENT))
    try:
        properties = object_of(fields.get("properties"), "properties")
        return Translated(source, taken.read(_Call(line, fields, properties, _envelope(fields, properties, name))))
    except InvalidEventError as error:
        return refused(source, line, f"{name}: {error}", taken.topic)


def _envelope(fields: dict[str, Any], properties: dict[str, Any], name: str) -> Envelope:
    user_id = id_of(first(fields, _USER), "userId or anonymousId")
    timestamp = instant_of(first(fields, _TIME), "timestamp")
    message_id = as_text(first(fields, ("messageId",)))
    if message_id is None:
        # A program that sends the same again sends the same properties.
        event_id = digest(user_id, str(timestamp), name, json.dumps(properties, sort_keys=True))
    else:
        event_id = bounded_id(read_string(message_id, "messageId"))
    currency = currency_of(first(properties, ("currency",)), "properties.currency")
    return Envelope(name, event_id, user_id, timestamp, currency)


def _product(value: Any, name: str) -> Product:
    fields = object_of(value, name)
    return Product(
        item_id=id_of(first(fields, _ITEM), f"{name}.product_id"),
        title=_text(first(fields, ("name", "title"))),
        category=_text(first(fields, ("category",))),
        price=number(fields.get("price"), f"{name}.price"),
        quantity=number(fields.get("quantity"), f"{name}.quantity"),
    )


def _text(value: Any) -> str | None:
    found = as_text(value)
    return found if type(found) is str else None


def _order(action: Action) -> _Read:
    def read(call: _Call) -> Sequence[Record | RejectedLine]:
        order_id = first(call.properties, _ORDER)
        order_id = None if order_id is None else id_of(order_id, "properties.order_id")
        products = call.properties.get("products")
        return clicks(call.line, call.envelope, action, products, _product, "properties.products", order_id)

    return read


def _refund(call: _Call) -> Sequence[Record | RejectedLine]:
    if call.properties.get("products"):
        return _order(Action.REFUND)(call)
    order_id = id_of(first(call.properties, _ORDER), "properties.order_id")
    return (whole_refund(call.envelope, order_id, number(first(call.properties, _TOTAL), "properties.total")),)


def _click(action: Action) -> _Read:
    def read(call: _Call) -> Sequence[Record | RejectedLine]:
        envelope = call.envelope
        return (click(envelope, envelope.event_id, action, _product(call.properties, "properties")),)

    return read


def _search(call: _Call) -> Sequence[Record | RejectedLine]:
    envelope = call.envelope
    query = as_text(call.properties.get("query"))
    fields = {
        "event_id": envelope.event_id,
        "query": read_string(query, "properties.query"),
        "timestamp": envelope.timestamp,
    }
    return (record(SEARCHES, envelope.user_id, fields),)


def _review(call: _Call) -> Sequence[Record | RejectedLine]:
    envelope, properties = call.envelope, call.properties
    product = _product(properties, "properties")
    rating = number(properties.get("rating"), "properties.rating")
    if rating is None:
        refuse("properties.rating", "a number from 1 to 5", None)
    text = first(properties, _TEXT)
    context = call.fields.get("context")
    fields = {
        "event_id": envelope.event_id,
        "item_id": product.item_id,
        "text": "" if text is None else read_string(text, "properties.review_body"),
        "rating": rating,
        "timestamp": envelope.timestamp,
        "category": product.category,
        "price": product.price,
        "currency": None if product.price is None else envelope.currency,
        "locale": _text(context.get("locale")) if isinstance(context, dict) else None,
    }
    return (record(REVIEWS, envelope.user_id, fields),)


_TAKEN: Final = {
    names.ORDER_COMPLETED: _Taken(CLICKS, _order(Action.PURCHASE)),
    names.ORDER_REFUNDED: _Taken(CLICKS, _refund),
    names.PRODUCT_VIEWED: _Taken(CLICKS, _click(Action.VIEW)),
    names.PRODUCT_ADDED: _Taken(CLICKS, _click(Action.CART)),
    names.PRODUCT_REMOVED: _Taken(CLICKS, _click(Action.REMOVE)),
    names.ADDED_TO_WISHLIST: _Taken(CLICKS, _click(Action.FAVORITE)),
    names.WISHLIST_TO_CART: _Taken(CLICKS, _click(Action.CART)),
    names.PRODUCTS_SEARCHED: _Taken(SEARCHES, _search),
    names.PRODUCT_REVIEWED: _Taken(REVIEWS, _review),
}
