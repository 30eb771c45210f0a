"""Rows of the GA4 export to BigQuery, as JSON lines.

BigQuery writes 64-bit integers as text; Parquet has them as numbers. Both are taken. docs/formats.md has the tables.
"""

from __future__ import annotations

from typing import Any, Final

from streams.contract import CLICKS, SEARCHES
from streams.exceptions import InvalidEventError
from streams.records.events import LATEST_MS, Action
from streams.records.fields import read_string, refuse
from streams.records.ndjson import Record, RejectedLine
from streams.records.shapes.lines import Envelope, Product, clicks, record, whole_refund
from streams.records.shapes.translated import (
    NOT_ABOUT_A_PRODUCT,
    UNKNOWN_EVENT,
    Translated,
    read_object,
    refused,
    source_of,
)
from streams.records.shapes.values import as_text, currency_of, digest, first, id_of, number, object_of

NAME: Final = "ga4"

NOTHING: Final = ("", "(not set)", "(none)", "(data deleted)")
"""Texts by which the export says that there is no value."""

ACTIONS: Final = {
    "purchase": Action.PURCHASE,
    "refund": Action.REFUND,
    "view_item": Action.VIEW,
    "add_to_cart": Action.CART,
    "remove_from_cart": Action.REMOVE,
    "add_to_wishlist": Action.FAVORITE,
}
SEARCH_EVENTS: Final = ("search", "view_search_results")

LEFT_OUT: Final = {
    "select_item": "counted with the view_item that follows",
} | dict.fromkeys(
    (
        "add_payment_info",
        "add_shipping_info",
        "begin_checkout",
        "click",
        "file_download",
        "first_open",
        "first_visit",
        "form_start",
        "form_submit",
        "page_view",
        "screen_view",
        "scroll",
        "select_promotion",
        "session_start",
        "user_engagement",
        "video_complete",
        "video_progress",
        "video_start",
        "view_cart",
        "view_item_list",
        "view_promotion",
    ),
    NOT_ABOUT_A_PRODUCT,
)

_PLACE_IN_BUNDLE: Final = ("event_bundle_sequence_id", "batch_page_id", "batch_ordering_id", "batch_event_index")
_VALUES: Final = ("string_value", "int_value", "double_value", "float_value")
_CATEGORIES: Final = ("item_category", "item_category2", "item_category3", "item_category4", "item_category5")
_IDS: Final = ("item_id", "item_name")
_MICROSECONDS: Final = range(0, (LATEST_MS + 1) * 1000)
_LONGEST_DIGITS: Final = 20


def ga4(line: bytes) -> Translated:
    """Return the records of a row."""
    return read_object(NAME, line, ga4_fields)


def is_ga4(fields: dict[str, Any]) -> bool:
    """Tell whether an object is a row of the export."""
    return "event_name" in fields and "event_timestamp" in fields


def ga4_fields(line: bytes, fields: dict[str, Any]) -> Translated:
    """Return the records of a row whose JSON is known."""
    name = fields.get("event_name")
    if type(name) is not str:
        return refused(NAME, line, "event_name: expected the name of an event, found none")
    source = source_of(NAME, name)
    topic = CLICKS if name in ACTIONS else SEARCHES if name in SEARCH_EVENTS else ""
    if not topic:
        return Translated(source, (), LEFT_OUT.get(name, UNKNOWN_EVENT))
    try:
        return Translated(source, _records(line, fields, name))
    except InvalidEventError as error:
        return refused(source, line, f"{name}: {error}", topic)


def _records(line: bytes, fields: dict[str, Any], name: str) -> list[Record | RejectedLine]:
    params = _params(fields.get("event_params"))
    envelope = _envelope(fields, params, name)
    if name in SEARCH_EVENTS:
        query = read_string(as_text(first(params, ("search_term",))), "event_params.search_term")
        found = {"event_id": envelope.event_id, "query": query, "timestamp": envelope.timestamp}
        return [record(SEARCHES, envelope.user_id, found)]
    order_id = _order_id(fields, params) if name in ("purchase", "refund") else None
    if name == "refund" and order_id is not None and not fields.get("items"):
        return [whole_refund(envelope, order_id, _refunded(fields, params))]
    return clicks(line, envelope, ACTIONS[name], fields.get("items"), _item, "items", order_id)


def _envelope(fields: dict[str, Any], params: dict[str, Any], name: str) -> Envelope:
    user_id = id_of(first(fields, ("user_id", "user_pseudo_id"), NOTHING), "user_id or user_pseudo_id")
    microseconds = _microseconds(fields.get("event_timestamp"))
    place = [str(as_text(fields.get(part))) for part in _PLACE_IN_BUNDLE]
    if fields.get("batch_event_index") is None:
        place += _about(fields, params)
    return Envelope(
        event=name,
        event_id=digest(user_id, str(microseconds), name, *place),
        user_id=user_id,
        timestamp=microseconds // 1000,
        currency=currency_of(first(params, ("currency",), NOTHING), "event_params.currency"),
    )


def _about(fields: dict[str, Any], params: dict[str, Any]) -> list[str]:
    """Return what an event is about, which tells events of one bundle apart that have the same instant."""
    items = fields.get("items")
    listed = [item for item in items if isinstance(item, dict)] if type(items) is list else []
    found = [first(params, ("search_term",)), *(first(item, _IDS, NOTHING) for item in listed)]
    return [str(as_text(what)) for what in found]


def _microseconds(value: Any) -> int:
    number = as_text(value)
    if type(number) is str and number.isascii() and number.isdigit() and len(number) <= _LONGEST_DIGITS:
        number = int(number)
    if type(number) is not int or number not in _MICROSECONDS:
        refuse("event_timestamp", "microseconds since 1970, as a number or its digits", value, _other(value))
    return number


def _params(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if type(value) is not list:
        refuse("event_params", "an array of `key` and `value`", value)
    params: dict[str, Any] = {}
    for index, param in enumerate(value):
        fields = object_of(param, f"event_params[{index}]")
        key, held = fields.get("key"), fields.get("value")
        if type(key) is str and isinstance(held, dict):
            params[key] = first(held, _VALUES, ())
    return params


def _order_id(fields: dict[str, Any], params: dict[str, Any]) -> str | None:
    ecommerce = fields.get("ecommerce")
    found = first(ecommerce, ("transaction_id",), NOTHING) if isinstance(ecommerce, dict) else None
    found = found if found is not None else first(params, ("transaction_id",), NOTHING)
    return None if found is None else id_of(found, "ecommerce.transaction_id")


def _refunded(fields: dict[str, Any], params: dict[str, Any]) -> int | float | None:
    ecommerce = fields.get("ecommerce")
    found = number(ecommerce.get("refund_value"), "ecommerce.refund_value") if isinstance(ecommerce, dict) else None
    return found if found is not None else number(first(params, ("value",), NOTHING), "event_params.value")


def _item(value: Any, name: str) -> Product:
    fields = object_of(value, name)
    title = as_text(first(fields, ("item_name",), NOTHING))
    price, currency = number(fields.get("price"), f"{name}.price"), None
    if price is None:
        price, currency = number(fields.get("price_in_usd"), f"{name}.price_in_usd"), "USD"
    category = first(fields, _CATEGORIES, NOTHING)
    return Product(
        # The export asks for one of the two.
        item_id=id_of(first(fields, _IDS, NOTHING), f"{name}.item_id or item_name"),
        title=title if type(title) is str else None,
        category=category if type(category) is str else None,
        price=price,
        quantity=number(fields.get("quantity"), f"{name}.quantity"),
        currency=currency,
    )


def _other(value: Any) -> str:
    return "another text" if type(value) is str else "another" if type(value) is int else ""
