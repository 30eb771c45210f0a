"""What a user's state is told of a click: its money, its order and its title."""

from __future__ import annotations

import numpy as np
import pytest

from features.observation import TITLE_WEIGHTS, Kind, event_key
from streams.records.events import Action, Click
from streams.records.observer import NOTHING_READ, Observer, Reading

OBSERVER = Observer(["jazz"])
READ = Reading(noisy=False, projected=np.ones(64))


def click(action: Action, **more: object) -> Click:
    return Click("e", "u", "i", action, 1_764_000_000_000, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("action", list(Action))
def test_each_action_has_its_money_units_and_order(action: Action) -> None:
    seen = OBSERVER.observe(click(action, price=2.5, quantity=3, order_id="o"), 7)
    money = {Action.PURCHASE: 7_500_000, Action.REFUND: 7_500_000, Action.VIEW: 2_500_000}
    bought = action is Action.PURCHASE
    assert (seen.kind, seen.amount) == (Kind[action.name], money.get(action))
    assert (seen.units, seen.order) == ((3, event_key("o")) if bought else (0, None))


@pytest.mark.parametrize("action", list(Action))
def test_without_a_price_there_is_no_money_no_unit_and_no_order(action: Action) -> None:
    seen = OBSERVER.observe(click(action, quantity=3, order_id="o"), 7)
    assert (seen.amount, seen.units, seen.order) == (None, 0, None)


@pytest.mark.parametrize("action", list(Action))
def test_a_title_counts_by_its_action_and_waits_until_it_is_read(action: Action) -> None:
    weight = TITLE_WEIGHTS.get(Kind[action.name], 0.0)
    read = OBSERVER.observe(click(action, title="lamp"), 7, READ)
    assert (read.title_weight, read.title_waits) == (weight, False)
    assert read.title is READ.projected
    unread = OBSERVER.observe(click(action, title="lamp"), 7, None)
    assert (unread.title_weight, unread.title_waits, unread.title) == (weight, weight > 0, None)


@pytest.mark.parametrize("title", [None, ""])
def test_a_click_without_a_title_waits_for_nothing(title: str | None) -> None:
    seen = OBSERVER.observe(click(Action.PURCHASE, title=title), 7, None)
    assert (seen.title_weight, seen.title_waits) == (0.0, False)


def test_a_title_that_says_nothing_is_read_and_adds_nothing() -> None:
    seen = OBSERVER.observe(click(Action.PURCHASE, title="!!!"), 7, NOTHING_READ)
    assert (seen.title_weight, seen.title_waits, seen.title) == (1.0, False, None)
