"""Faults between a shopper and the topics: duplicates, late arrivals and lines that are no event."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from features.tiles import DAY
from streams.contract import CLICKS, REVIEWS, SEARCHES
from streams.offline.sample.orders import PERIOD_END

DUPLICATE_SHARE: Final = 0.005
LATE_SHARE: Final = 0.005
LATEST_ARRIVAL_MS: Final = 2 * DAY
"""A late event arrives one minute to two days after its timestamp."""

_MINUTE: Final = 60_000
# Beyond the 32,768 bytes that a text may have, and well below the size at which a record is not read at all.
_OVERLONG_WORDS: Final = 12_000
_YEAR_2100: Final = 4_102_444_800_000


@dataclass(frozen=True, slots=True)
class Arrival:
    """A line and the moment it arrives, in epoch milliseconds; `name` settles ties."""

    at: int
    name: str
    line: dict[str, Any]

    @classmethod
    def on_time(cls, topic: str, event: dict[str, Any]) -> Arrival:
        """Return the arrival of an event at its own timestamp."""
        return cls(event["timestamp"], event["event_id"], {"topic": topic, "value": event})


def deliver(rng: random.Random, topic: str, event: dict[str, Any]) -> Iterator[Arrival]:
    """Yield the arrivals of one event. A small share arrives a second time, and some arrive late.

    A purchase is never late: cutting the lines at a moment then cuts the orders at the same moment. A click that is
    sent twice is so at once, as by a producer that tries again, and a text within the hour: between a click and its
    repetition may come a basket of more lines than a user's memory of ids.
    """
    first = Arrival.on_time(topic, event)
    if event.get("action") != "purchase" and rng.random() < LATE_SHARE:
        first = Arrival(first.at + rng.randint(_MINUTE, LATEST_ARRIVAL_MS), first.name, first.line)
    yield first
    if rng.random() < DUPLICATE_SHARE:
        later = 0 if topic == CLICKS else rng.randint(1, 60 * _MINUTE)
        yield Arrival(first.at + later, f"{first.name}+", first.line)


def bad_lines(rng: random.Random, customers: list[str], start: int, end: int = PERIOD_END) -> Iterator[Arrival]:
    """Yield a handful of lines that end as dead letters, at moments drawn between `start` and `end`.

    Among them are all reasons that a single line can bring about: malformed, invalid, key_mismatch, too_large
    and future. None is a purchase.
    """
    for number, (topic, fault) in enumerate(_FAULTS):
        at = rng.randrange(start, max(end, start + 1))
        name = f"bad-{number}"
        customer = rng.choice(customers)
        if isinstance(fault, str):
            yield Arrival(at, name, {"topic": topic, "key": customer, "raw": fault})
            continue
        value = _SOUND[topic] | {"event_id": name, "user_id": customer, "timestamp": at} | fault
        line: dict[str, Any] = {
            "topic": topic,
            "value": {k: v for k, v in value.items() if v is not _MISSING},
        }
        if value["user_id"] is _SOMEBODY_ELSE:
            line = {"topic": topic, "key": customer, "value": line["value"] | {"user_id": f"{customer}-x"}}
        yield Arrival(at, name, line)


_MISSING: Final = object()
_SOMEBODY_ELSE: Final = object()
_SOUND: Final[dict[str, dict[str, Any]]] = {
    CLICKS: {"item_id": "soup-00", "action": "view", "price": 1.99},
    SEARCHES: {"query": "tomato soup"},
    REVIEWS: {"item_id": "soup-00", "text": "A good soup.", "rating": 4},
}
_FAULTS: Final[tuple[tuple[str, str | dict[str, Any]], ...]] = (
    (CLICKS, '{"event_id": "bad", "action": "view", "item'),
    (CLICKS, '{"event_id": "bad", "action": "view", "price": NaN}'),
    (SEARCHES, "tomato soup"),
    (REVIEWS, "[" * 100 + "]" * 100),
    (CLICKS, {"price": -1.99}),
    (CLICKS, {"quantity": 0}),
    (CLICKS, {"item_id": _MISSING}),
    (SEARCHES, {"query": _MISSING}),
    (REVIEWS, {"rating": 6}),
    (REVIEWS, {"timestamp": 883_612_800}),
    (CLICKS, {"user_id": _SOMEBODY_ELSE}),
    (SEARCHES, {"user_id": _SOMEBODY_ELSE}),
    (REVIEWS, {"text": "la " * _OVERLONG_WORDS}),
    (SEARCHES, {"timestamp": _YEAR_2100}),
)
