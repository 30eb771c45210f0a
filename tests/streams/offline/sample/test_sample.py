"""The demo's input: real baskets and the behaviour simulated around them."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.tiles import DAY
from streams.offline.sample import phrases
from streams.offline.sample.faults import LATEST_ARRIVAL_MS
from streams.offline.sample.orders import (
    DEMO_BEGIN,
    DEMO_CUSTOMERS,
    PERIOD_END,
    Order,
    customers,
    demo_orders,
    is_held_out,
    judged_customers,
)
from streams.offline.sample.phrases import CATEGORIES
from streams.offline.sample.simulator import simulate
from streams.records.decoder import Decoder
from streams.records.rejection import Rejection

Line = dict[str, Any]


@pytest.fixture(scope="module")
def orders() -> list[Order]:
    return demo_orders()


@pytest.fixture(scope="module")
def lines(orders: list[Order]) -> list[Line]:
    return list(simulate(orders))


@pytest.fixture(scope="module")
def clean(orders: list[Order]) -> list[Line]:
    return list(simulate(orders, faults=False))


@pytest.fixture(scope="module")
def few(orders: list[Order]) -> list[Order]:
    chosen = set(sorted({order.customer_id for order in orders})[::20])
    return [order for order in orders if order.customer_id in chosen]


def decoded(line: Line) -> object:
    raw = line["raw"].encode() if "raw" in line else orjson.dumps(line["value"])
    key = line.get("key") or line["value"]["user_id"]
    return Decoder().decode(line["topic"], key.encode(), raw, PERIOD_END + DAY)


def micro(dollars: float) -> int:
    return round(dollars * 1e6)


# The simulated shop


def test_the_slice_is_of_held_out_customers_and_the_last_four_months(orders: list[Order]) -> None:
    found = {order.customer_id for order in orders}
    assert all(map(is_held_out, found))
    assert 0.9 * DEMO_CUSTOMERS < len(found) <= DEMO_CUSTOMERS
    moments = [order.timestamp for order in orders]
    assert moments == sorted(moments)
    assert DEMO_BEGIN <= moments[0] < DEMO_BEGIN + DAY
    assert PERIOD_END - DAY < moments[-1] < PERIOD_END
    assert all(order.dollars == round(sum(line.paid for line in order.lines), 2) > 0 for order in orders)


def test_every_line_of_an_order_becomes_one_purchase(orders: list[Order], lines: list[Line]) -> None:
    purchases = {
        line["value"]["event_id"]: line["value"] for line in lines if line.get("value", {}).get("action") == "purchase"
    }
    assert purchases == {
        click["event_id"]: click for order in orders for click in (line.click() for line in order.lines)
    }


def test_what_is_invented_has_no_title(clean: list[Line]) -> None:
    clicks = [line["value"] for line in clean if line["topic"] == "clicks"]
    assert {"title" in click for click in clicks if click["action"] == "purchase"} == {True}
    assert {"title" in click for click in clicks if click["action"] != "purchase"} == {False}


def test_the_slice_stays_small_enough_for_a_demo(lines: list[Line], clean: list[Line]) -> None:
    texts = {line["value"].get("text", line["value"].get("query")) for line in clean} - {None}
    titles = {line["value"].get("title") for line in clean} - {None}
    queries = Counter(line["value"]["query"] for line in clean if line["topic"] == "searches")
    assert 45_000 <= len(lines) <= 55_000
    assert len(titles) <= 2_500
    assert len(texts) <= 1_000
    assert queries.most_common(1)[0][1] > 20 * min(queries.values())


def test_lines_are_the_same_for_a_seed_and_differ_between_seeds(few: list[Order]) -> None:
    assert list(simulate(few, seed=3)) == list(simulate(reversed(few), seed=3))
    assert list(simulate(few, seed=3)) != list(simulate(few, seed=4))


def test_every_valid_event_keeps_the_contract(clean: list[Line]) -> None:
    assert [line for line in clean if isinstance(decoded(line), Rejection)] == []
    events = [line["value"] for line in clean]
    assert len({event["event_id"] for event in events}) == len(events)
    assert all(type(event["timestamp"]) is int and event["timestamp"] < PERIOD_END for event in events)
    assert all("currency" not in event for event in events)


def test_categories_are_a_closed_list_of_about_twenty() -> None:
    assert len(set(CATEGORIES)) == len(CATEGORIES) == 20


def test_clean_lines_arrive_in_order_of_time(clean: list[Line]) -> None:
    moments = [line["value"]["timestamp"] for line in clean]
    assert moments == sorted(moments)


# What goes wrong on the way


def test_faults_change_no_valid_event(lines: list[Line], clean: list[Line]) -> None:
    valid = {line["value"]["event_id"]: line for line in lines if not isinstance(decoded(line), Rejection)}
    assert valid == {line["value"]["event_id"]: line for line in clean}


def test_a_small_share_is_sent_twice_within_reach_of_the_duplicate_memory(lines: list[Line]) -> None:
    memory: dict[tuple[str, str], list[str]] = {}
    repeated = 0
    for line in lines:
        if isinstance(decoded(line), Rejection):
            continue
        event_id = line["value"]["event_id"]
        seen = memory.setdefault((line["topic"], line["value"]["user_id"]), [])
        if event_id in seen:
            assert event_id in seen[-128:]
            repeated += 1
        else:
            seen.append(event_id)
    assert 0.003 <= repeated / len(lines) <= 0.007


def test_a_small_share_arrives_late_by_at_most_two_days_and_never_a_purchase(lines: list[Line]) -> None:
    newest, late = 0, 0
    seen: set[str] = set()
    for line in lines:
        if isinstance(decoded(line), Rejection) or line["value"]["event_id"] in seen:
            continue
        event = line["value"]
        seen.add(event["event_id"])
        if event["timestamp"] < newest:
            late += 1
            assert newest - event["timestamp"] <= LATEST_ARRIVAL_MS
            assert event.get("action") != "purchase"
        newest = max(newest, event["timestamp"])
    others = sum(line.get("value", {}).get("action") != "purchase" for line in lines)
    assert 0.003 <= late / others <= 0.007


def test_bad_lines_bring_about_every_reason_a_line_can(lines: list[Line]) -> None:
    reasons = Counter(str(found.reason) for found in map(decoded, lines) if isinstance(found, Rejection))
    assert reasons == {"malformed": 4, "invalid": 6, "key_mismatch": 2, "too_large": 1, "future": 1}


def test_every_line_is_ndjson(lines: list[Line]) -> None:
    for line in lines:
        assert orjson.loads(orjson.dumps(line)) == line
        assert set(line) in ({"topic", "value"}, {"topic", "key", "value"}, {"topic", "key", "raw"})
        assert line["topic"] in {"clicks", "searches", "reviews"}


# What the simulation may not know


def test_nothing_but_the_purchase_depends_on_what_was_spent(few: list[Order]) -> None:
    def dearer(order: Order) -> Order:
        return replace(order, lines=tuple(line._replace(paid=line.paid * 10 + 1, units=3) for line in order.lines))

    richer = [dearer(order) for order in few]

    def unpaid(given: list[Order]) -> list[Line]:
        return [line for line in simulate(given) if line.get("value", {}).get("action") != "purchase"]

    assert unpaid(richer) == unpaid(few)


@settings(max_examples=25, deadline=None)
@given(day=st.integers(min_value=1, max_value=121))
def test_no_event_before_a_midnight_depends_on_an_order_after_it(few: list[Order], day: int) -> None:
    midnight = DEMO_BEGIN + day * DAY
    known = {order.customer_id for order in few if order.timestamp < midnight}

    def before(given: list[Order]) -> list[Line]:
        told = simulate(given, faults=False)
        return [line for line in told if line["value"]["timestamp"] < midnight]

    whole = before([order for order in few if order.customer_id in known])
    assert whole == before([order for order in few if order.timestamp < midnight])
    assert {line["value"]["user_id"] for line in before(few)} == known


def test_a_customers_events_do_not_depend_on_other_customers(few: list[Order]) -> None:
    customer = few[0].customer_id
    alone = list(simulate([order for order in few if order.customer_id == customer], faults=False))
    among = [line for line in simulate(few, faults=False) if line["value"]["user_id"] == customer]
    assert alone == among


@pytest.mark.parametrize(
    "rate",
    [{"reviews_per_order": 1.1}, {"visits_per_order": -0.1}, {"searches_per_visit": -1.0}, {"visits_per_year": -0.1}],
)
def test_impossible_rates_are_refused(few: list[Order], rate: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(rate))):
        simulate(few, **rate)  # type: ignore[arg-type]


def test_rates_of_nothing_leave_only_what_surrounds_an_order(few: list[Order]) -> None:
    told = simulate(few, visits_per_order=1, reviews_per_order=0, searches_per_visit=0, visits_per_year=0, faults=False)
    actions = Counter(line["value"].get("action") for line in told)
    assert set(actions) == {"view", "favorite", "cart", "remove", "purchase"}
    assert actions["purchase"] == sum(len(order.lines) for order in few)


def test_no_orders_give_no_lines() -> None:
    assert list(simulate([])) == []


# The words


def test_ratings_agree_with_the_wording_and_a_few_reviews_are_worthless(clean: list[Line]) -> None:
    reviews = [line["value"] for line in clean if line["topic"] == "reviews"]
    angry = [r["rating"] for r in reviews if "I sent it back." in r["text"] or "已经退货。" in r["text"]]
    happy = [r["rating"] for r in reviews if "Highly recommended!" in r["text"] or "强烈推荐！" in r["text"]]
    adverts = [r for r in reviews if "example.com" in r["text"] and "https://" in r["text"]]
    assert sum(angry) / len(angry) < 2.5
    assert sum(happy) / len(happy) > 4
    assert 0.005 <= len(adverts) / len(reviews) <= 0.05


def test_reviews_come_in_english_and_chinese(clean: list[Line]) -> None:
    locales = Counter(line["value"]["locale"] for line in clean if line["topic"] == "reviews")
    assert set(locales) == {"en-US", "zh-CN"}
    assert 0.1 <= locales["zh-CN"] / locales.total() <= 0.3


def test_contacts_use_reserved_values_only(clean: list[Line]) -> None:
    texts = [line["value"]["text"] for line in clean if line["topic"] == "reviews"]
    contacts = [text for text in texts if "@" in text or "555-01" in text]
    assert contacts
    assert all(text.count("@") == text.count("@example.com") + text.count("@example.org") for text in texts)


@given(seed=st.integers(), category=st.sampled_from(CATEGORIES), rating=st.integers(1, 5))
def test_every_drawn_text_is_filled_in_and_not_empty(seed: int, category: str, rating: int) -> None:
    rng = random.Random(seed)
    for language in ("en", "zh"):
        for text in (phrases.query(rng, category, language), phrases.review(rng, category, language, rating)):
            assert text.strip() == text != ""
            assert "{" not in text
    assert phrases.noise(rng, category)


# The split


@given(st.text(max_size=12))
def test_half_of_all_ids_are_held_out(customer: str) -> None:
    assert is_held_out(customer) == (hashlib.sha256(customer.encode()).hexdigest()[0] in "89abcdef")


def test_the_split_is_about_even_and_never_moves() -> None:
    everybody = customers()
    assert len(everybody) == len(set(everybody)) == 2_469
    assert sum(map(is_held_out, everybody)) == 1_193
    judged = judged_customers()
    assert sum(map(is_held_out, judged)) == len(judged) / 2 == len(set(judged)) / 2
