"""What an applied event says of its item."""

from __future__ import annotations

import numpy as np
import pytest

from features.items.review_signature import signature
from features.observation import Kind, Source
from features.tiles import DAY
from streams.records.events import Action, Click, Review
from streams.records.items.stating import MOST_CATEGORY_BYTES, NEW_EVENTS, NEW_FOR, fact_of_click, fact_of_review
from streams.records.observer import NOTHING_READ, Observer, Reading

BASE = 1_764_000_000_000
OBSERVER = Observer(["shoes"])


def click(action: Action, **fields: object) -> Click:
    return Click("e", "u", "i", action, BASE, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("action", "amount", "units"),
    [
        (Action.VIEW, None, 0),
        (Action.FAVORITE, None, 0),
        (Action.CART, None, 0),
        (Action.REMOVE, None, 0),
        (Action.PURCHASE, 37_500_000, 3),
        (Action.REFUND, 37_500_000, 0),
    ],
)
def test_a_click_says_what_was_done_and_what_the_item_is(action: Action, amount: int | None, units: int) -> None:
    event = click(action, price=12.5, quantity=3, title="A Shoe", category="odd shoes")
    fact = fact_of_click(event, OBSERVER.observe(event, 17), BASE + 5)
    assert (fact.topic, fact.offset, fact.item_id, fact.timestamp) == (Source.CLICKS, 17, "i", BASE)
    assert (fact.kind, fact.amount, fact.units) == (Kind[action.name], amount, units)
    assert (fact.price, fact.title, fact.category) == (12.5, "A Shoe", "odd shoes"), "categories as they came"


def test_an_item_is_told_no_category_without_bound() -> None:
    event = click(Action.VIEW, category="x" + "é" * MOST_CATEGORY_BYTES)
    assert fact_of_click(event, OBSERVER.observe(event, 1), BASE).category == "x" + "é" * (MOST_CATEGORY_BYTES // 2 - 1)


def test_a_click_without_a_price_says_no_money_and_no_units() -> None:
    event = click(Action.PURCHASE, quantity=3)
    fact = fact_of_click(event, OBSERVER.observe(event, 1), BASE)
    assert (fact.amount, fact.units, fact.price, fact.title, fact.category) == (None, 0, None, None, None)


@pytest.mark.parametrize(("arrived", "time"), [(BASE + 1, BASE), (BASE, BASE), (BASE - 7, BASE - 7)])
def test_no_fact_is_later_than_the_record_of_its_event(arrived: int, time: int) -> None:
    event = click(Action.VIEW)
    assert fact_of_click(event, OBSERVER.observe(event, 1), arrived).timestamp == time
    review = Review("e", "u", "i", "fine", 4.0, BASE)
    told = fact_of_review(review, OBSERVER.observe(review, 1), arrived, NOTHING_READ, BASE, 1)
    assert told.timestamp == time


def test_a_review_says_rating_noise_polarity_and_signature() -> None:
    review = Review("e", "u", "i", "a fine shoe, it fits as it should", 4.5, BASE, category="shoes", price=3.0)
    reading = Reading(noisy=False, projected=np.ones(64), polarity=-0.123_456_7)
    fact = fact_of_review(review, OBSERVER.observe(review, 9, reading), BASE, reading, BASE - 40 * DAY, 100)
    assert (fact.topic, fact.offset, fact.kind, fact.amount) == (Source.REVIEWS, 9, Kind.REVIEW, 4_500_000)
    assert (fact.noisy, fact.polarity, fact.new_reviewer) == (False, -123_457, False)
    assert fact.signature == signature(review.text)
    assert (fact.price, fact.title, fact.category) == (None, None, None), "a shopper's price and category are no shop's"


def test_a_noisy_review_has_no_polarity() -> None:
    review = Review("e", "u", "i", "buy buy buy", 5.0, BASE)
    reading = Reading(noisy=True, projected=None)
    fact = fact_of_review(review, OBSERVER.observe(review, 9, reading), BASE, reading, BASE, 1)
    assert fact.noisy
    assert fact.polarity is None


@pytest.mark.parametrize(
    ("first_seen", "events", "new"),
    [
        (BASE, 1, True),
        (BASE - 90 * DAY, NEW_EVENTS, True),
        (BASE - 90 * DAY, NEW_EVENTS + 1, False),
        (BASE - NEW_FOR + 1, 50, True),
        (BASE - NEW_FOR, 50, False),
    ],
)
def test_a_reviewer_is_new_for_a_day_and_for_three_events(first_seen: int, events: int, new: bool) -> None:
    review = Review("e", "u", "i", "fine", 4.0, BASE)
    fact = fact_of_review(review, OBSERVER.observe(review, 1), BASE, NOTHING_READ, first_seen, events)
    assert fact.new_reviewer is new
