"""Reading one event out of the JSON of its record, field by field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from streams.contract import CLICKS, ERASURES, REVIEWS, SEARCHES
from streams.exceptions import InvalidEventError
from streams.records.events import Click, Erasure, Review, Search
from streams.records.fields import (
    read_action,
    read_id,
    read_number,
    read_optional_string,
    read_price,
    read_quantity,
    read_string,
    read_title,
    refuse,
)
from streams.records.strict_json import loads, loads_exact
from streams.records.timestamps import parse_rfc3339

_MAX_DOUBLE: Final = 1.7976931348623157e308

# orjson turns integers of this size and more into floats, which lose digits.
_FIRST_INEXACT_INTEGER: Final = float(2**64)

_Fields: TypeAlias = dict[str, Any]


class EventReader:
    """Reads the events of one deployment.

    Args:
        currency: the only currency an event may name.
        earliest_ms: an older timestamp, in epoch milliseconds, is refused.
    """

    __slots__ = ("_currency", "_earliest_ms", "_readers")

    def __init__(self, currency: str, earliest_ms: int) -> None:
        self._currency = currency
        self._earliest_ms = earliest_ms
        self._readers: dict[str, Callable[[_Fields, int], Review | Search | Click | Erasure]] = {
            REVIEWS: self._review,
            SEARCHES: self._search,
            CLICKS: self._click,
            ERASURES: self._erasure,
        }

    def read(self, topic: str, raw: bytes) -> Review | Search | Click | Erasure:
        """Read the event of a record.

        Args:
            topic: one of the input topics, by its name in the contract.
            raw: the record's value.

        Raises:
            MalformedJSONError: the value is no strict JSON.
            InvalidEventError: a field is missing, of another type, or out of range.
        """
        fields = loads(raw)
        if type(fields) is not dict:
            refuse("record", "an object", fields)
        return self._readers[topic](fields, self._timestamp(fields, raw))

    def _timestamp(self, fields: _Fields, raw: bytes) -> int:
        value = fields.get("timestamp")
        if type(value) is float and value >= _FIRST_INEXACT_INTEGER:
            exact = loads_exact(raw)
            value = exact.get("timestamp") if isinstance(exact, dict) else None
        if type(value) is str:
            try:
                value = parse_rfc3339(value)
            except ValueError as error:
                raise InvalidEventError(f"timestamp: {error}") from None
        elif type(value) is not int:
            refuse("timestamp", "integer epoch milliseconds or RFC 3339 text", value)
        if value < self._earliest_ms:
            limit = f"expected epoch milliseconds from {self._earliest_ms}, found an earlier instant"
            raise InvalidEventError(f"timestamp: {limit}; seconds must be sent as milliseconds")
        return int(value)

    def _review(self, fields: _Fields, timestamp: int) -> Review:
        get = fields.get
        return Review(
            read_id(get("event_id"), "event_id"),
            read_id(get("user_id"), "user_id"),
            read_id(get("item_id"), "item_id"),
            read_string(get("text"), "text"),
            read_number(get("rating"), "rating", 1.0, 5.0),
            timestamp,
            read_optional_string(get("category"), "category"),
            read_price(get("price"), 1),
            read_optional_string(get("locale"), "locale"),
            self._own_currency(get("currency")),
        )

    def _search(self, fields: _Fields, timestamp: int) -> Search:
        get = fields.get
        results = get("results")
        return Search(
            read_id(get("event_id"), "event_id"),
            read_id(get("user_id"), "user_id"),
            read_string(get("query"), "query"),
            timestamp,
            read_optional_string(get("category"), "category"),
            None if results is None else read_number(results, "results", 0.0, _MAX_DOUBLE),
        )

    def _click(self, fields: _Fields, timestamp: int) -> Click:
        get = fields.get
        quantity = read_quantity(get("quantity"))
        session_id, order_id = get("session_id"), get("order_id")
        return Click(
            read_id(get("event_id"), "event_id"),
            read_id(get("user_id"), "user_id"),
            read_id(get("item_id"), "item_id"),
            read_action(get("action")),
            timestamp,
            read_optional_string(get("category"), "category"),
            read_price(get("price"), quantity),
            quantity,
            self._own_currency(get("currency")),
            None if session_id is None else read_id(session_id, "session_id"),
            read_title(get("title")),
            None if order_id is None else read_id(order_id, "order_id"),
        )

    def _erasure(self, fields: _Fields, timestamp: int) -> Erasure:
        return Erasure(read_id(fields.get("user_id"), "user_id"), timestamp)

    def _own_currency(self, value: object) -> str | None:
        if value is None or value == self._currency:
            return None if value is None else self._currency
        refuse("currency", f"the deployment's own, {self._currency}", value, "another" if type(value) is str else "")
