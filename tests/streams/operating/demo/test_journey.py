"""A shopper's days are those of the real orders and of what is simulated around them, with the score of the day."""

from __future__ import annotations

from datetime import UTC, date, datetime

from support.baskets import basket

from streams.offline.sample.orders import PERIOD_END
from streams.operating.demo.journey import days_of
from streams.operating.demo.words import doings

DAY = 86_400_000
BEGIN = PERIOD_END - 30 * DAY
ORDERS = [
    basket("u", BEGIN - 40 * DAY + DAY // 2, 9.99),
    basket("u", BEGIN + 10 * DAY + DAY // 2, 10.0, 20.0),
    basket("u", BEGIN + 10 * DAY + DAY // 2 + 60_000, 5.0),
]


def day(instant: int) -> date:
    return datetime.fromtimestamp(instant / 1000, UTC).date()


def test_orders_stand_on_their_day_and_those_before_the_month_nowhere() -> None:
    days = days_of(ORDERS, [], BEGIN, PERIOD_END)
    assert [order for told in days for order in told.orders] == ORDERS[1:]
    (bought,) = [told for told in days if told.orders]
    assert bought.on == day(ORDERS[1].timestamp)
    assert "purchase" not in bought.simulated
    assert [told.on for told in days] == sorted(told.on for told in days)


def test_the_last_score_of_a_day_stands_on_it() -> None:
    at = ORDERS[1].timestamp
    records = [{"event_time": at, "score": 10.0}, {"event_time": at + 60_000, "score": 20.0}]
    elsewhere = [{"event_time": BEGIN - DAY, "score": 1.0}]
    days = days_of(ORDERS, [*elsewhere, *records], BEGIN, PERIOD_END)
    assert [told.score for told in days if told.orders] == [records[1]]
    assert all(told.score is None for told in days if not told.orders)


def test_a_month_before_the_first_order_is_empty() -> None:
    assert days_of(ORDERS, [], BEGIN - 100 * DAY, BEGIN - 60 * DAY) == []


def test_an_order_is_told_by_what_most_was_spent_on() -> None:
    order = basket("u", BEGIN, 1.0, 5.0, 4.0, 2.5)
    assert doings([order], {"view": 1}, "USD") == "bought 4 items for USD 12.50 (kind 1, kind 2, kind 3, ...), 1 view"
