"""What a fact or a forecast can say: values that no event, and no command of this program, can give are refused."""

from __future__ import annotations

import math
from typing import Any, Final

from features.items.fact import Fact
from features.observation import Kind, source_of, to_micros
from streams.records.events import LATEST_MS, MAX_ID_BYTES, MAX_MONEY, MAX_QUANTITY

_REVIEW: Final = int(Kind.REVIEW)
_SOURCES: Final = {int(kind): int(source_of(kind)) for kind in Kind if kind is not Kind.SEARCH}
_LEAST: Final = -(1 << 63)
_GREATEST_OFFSET: Final = (1 << 63) - 1
_MICRO_POLARITY: Final = 1_000_000
_MICRO_MONEY: Final = to_micros(MAX_MONEY)
_FORECAST_LEVELS: Final = 8


def possible_fact(fact: Fact) -> bool:
    """Return whether an event can have given this fact."""
    amount, price, polarity = fact.amount, fact.price, fact.polarity
    return (
        _SOURCES.get(fact.kind) == fact.topic
        and 0 <= fact.offset <= _GREATEST_OFFSET
        and _LEAST < fact.timestamp <= LATEST_MS
        and 0 <= fact.units <= MAX_QUANTITY
        and (price is None or (math.isfinite(price) and 0.0 <= price <= MAX_MONEY))
        and (polarity is None or -_MICRO_POLARITY <= polarity <= _MICRO_POLARITY)
        and (fact.kind != _REVIEW if amount is None else 0 <= amount <= _MICRO_MONEY)
        and possible_id(fact.item_id)
    )


def possible_id(item_id: str) -> bool:
    """Return whether an event can name this item."""
    try:
        return 0 < len(item_id.encode()) <= MAX_ID_BYTES
    except UnicodeEncodeError:
        return False


def possible_forecast(made_at: int, forecast: dict[str, Any]) -> bool:
    """Return whether a forecast made then (ms) is one that the record of an item can show."""
    return 0 <= made_at <= LATEST_MS and _plain(forecast, _FORECAST_LEVELS)


def _plain(value: Any, levels: int) -> bool:
    """Return whether a value is one that JSON has, with so many levels at most."""
    if isinstance(value, dict):
        return levels > 0 and all(isinstance(key, str) and _plain(part, levels - 1) for key, part in value.items())
    if isinstance(value, list):
        return levels > 0 and all(_plain(part, levels - 1) for part in value)
    return value is None or isinstance(value, bool | int | float | str)
