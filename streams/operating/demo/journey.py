"""What a shopper did day by day, and the score that the flow published then."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import orjson

from streams.broker.reading import read_topic
from streams.contract import CLICKS, SCORES, topic_name
from streams.offline.sample.orders import Order
from streams.offline.sample.simulator import simulate
from streams.settings import Settings

Records = list[dict[str, Any]]


@dataclass(frozen=True)
class Day:
    """A day (UTC) on which a shopper did something.

    Attributes:
        on: the date.
        orders: the real orders.
        simulated: how many searches, reviews and clicks of each action but purchases, by name.
        score: the last score record that an event of this day brought about; None if none did.
    """

    on: date
    orders: tuple[Order, ...]
    simulated: Mapping[str, int]
    score: Mapping[str, Any] | None


async def records_of(settings: Settings, users: Collection[str]) -> dict[str, Records]:
    """Return all score records of these users that an event brought about, in the order they were published."""
    wanted = {user.encode() for user in users}
    found: defaultdict[str, Records] = defaultdict(list)
    async for records in read_topic(settings, topic_name(settings, SCORES)):
        for record in records:
            if record.key in wanted and record.value is not None:
                score: dict[str, Any] = orjson.loads(record.value)
                if score["trigger"] is not None:
                    found[record.key.decode()].append(score)
    return found


def days_of(orders: Sequence[Order], records: Iterable[Mapping[str, Any]], begin: int, end: int) -> list[Day]:
    """Return the days of a customer between two instants (ms), the first exclusive.

    Args:
        orders: all real orders of the customer, by time; what else they did is simulated from these alone.
        records: the customer's score records, in the order they were published.
        begin: the first instant.
        end: the second instant.
    """
    bought: defaultdict[date, list[Order]] = defaultdict(list)
    for order in orders:
        if begin < order.timestamp <= end:
            bought[_day(order.timestamp)].append(order)
    simulated: defaultdict[date, Counter[str]] = defaultdict(Counter)
    for line in simulate(orders, faults=False):
        event = line["value"]
        if begin < event["timestamp"] <= end and event.get("action") != "purchase":
            simulated[_day(event["timestamp"])][event["action"] if line["topic"] == CLICKS else line["topic"]] += 1
    scores = {_day(record["event_time"]): record for record in records if begin < record["event_time"] <= end}
    return [
        Day(on, tuple(bought.get(on, ())), dict(simulated.get(on, {})), scores.get(on))
        for on in sorted({*bought, *simulated})
    ]


def _day(instant: int) -> date:
    return datetime.fromtimestamp(instant / 1000, UTC).date()
