"""The money behind an order: the tenth put first, who is outside it, and the curve over all tenths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.users.catalogue import INDEX, NAMES, PROFILE_WIDTH
from models.measures.spend import top_decile_share
from streams.offline.evaluation.business import business, gains, in_top_tenth
from streams.offline.evaluation.forecasts import Forecast
from streams.offline.evaluation.material import Rows

MONEY = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 1000)), min_size=1, max_size=60).filter(
    lambda rows: any(money for _, money in rows)
)


def columns(rows: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    order, money = np.array(rows, dtype=np.float64).T
    return order, money


@given(MONEY)
def test_the_tenth_holds_what_the_measure_says_and_has_its_size(rows: list[tuple[int, int]]) -> None:
    order, money = columns(rows)
    inside = in_top_tenth(order)
    assert inside.sum() == pytest.approx(-(-len(rows) // 10))
    assert inside @ money / money.sum() == pytest.approx(top_decile_share(money, order))
    assert ((inside >= 0) & (inside <= 1)).all()


@given(MONEY)
def test_gains_rise_from_nothing_to_all_and_no_order_beats_the_perfect_one(rows: list[tuple[int, int]]) -> None:
    order, money = columns(rows)
    found = gains(money, order)
    assert found[0] == 0
    assert found[-1] == pytest.approx(1)
    assert len(found) == 101
    assert all(np.diff(found) >= -1e-12)
    assert all(ours <= best + 1e-9 for ours, best in zip(found, gains(money, money), strict=True))


@given(MONEY)
def test_those_found_and_those_missed_are_all(rows: list[tuple[int, int]]) -> None:
    order, money = columns(rows)
    told = report(order, money)
    assert told["found"]["money"] + told["missed"]["money"] == pytest.approx(told["money"])
    assert told["models"]["scorer"]["money"] == pytest.approx(told["found"]["money"])
    assert sum(row["share_of_money"] for row in told["tiers"].values()) == pytest.approx(1)
    buyers = told["found"]["buyers"] + told["missed"]["buyers"]
    assert buyers == pytest.approx((money > 0).mean() * told["per"])


def test_the_missed_are_described_by_their_past() -> None:
    money = np.array([10.0, 0, 0, 0, 0, 0, 0, 0, 30.0, 5.0])
    order = np.arange(10, 0, -1, dtype=np.float64)
    told = report(order, money, orders=[4, *[1] * 9], idle=[3, *[100] * 8, np.nan])
    assert told["found"] == {"buyers": 100.0, "money": 1000.0, "few_orders": 0.0, "idle_days": 3.0}
    assert told["missed"] == {"buyers": 200.0, "money": 3500.0, "few_orders": 1.0, "idle_days": 100.0}
    assert told["currency"] == "CNY"


def report(order: np.ndarray, money: np.ndarray, orders: object = 2.0, idle: object = np.nan) -> dict:
    values = np.zeros((money.size, len(NAMES)))
    values[:, INDEX["lifetime_orders"]] = orders
    values[:, INDEX["days_since_last_purchase"]] = idle
    rows = Rows(
        values=values,
        profiles=np.zeros((money.size, PROFILE_WIDTH), np.float32),
        money=money,
        users=[str(place) for place in range(money.size)],
        instants=np.zeros(money.size, np.int64),
    )
    tiers = ["low" if place % 2 else "premium" for place in range(money.size)]
    return business(rows, {"scorer": Forecast(order, order, 0.0)}, tiers, "CNY")
