"""Orders of several lines: each counts once, at the time of its earliest line, in every window."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import reference
from support.reference import DAY, HOUR, Raw

from features.observation import KEY_BYTES
from features.users import codec, orders, row
from features.users.catalogue import NAMES
from features.users.orders import NOWHERE, ORDER_BYTES, REMEMBERED_ORDERS
from features.users.state import UserState

from .test_state import AGES, BASE, ENCODER, assert_equal, observe


def line(event: int, order: str | None, age: int, price: float | None = 1.0, quantity: int = 1) -> Raw:
    return Raw("clicks", str(event), "purchase", BASE - age, price, quantity, order_id=order)


def served(events: list[Raw], as_of: int = BASE) -> dict[str, object]:
    state = UserState()
    for offset, event in enumerate(events):
        state.apply(observe(event, offset), ENCODER)
    return dict(zip(NAMES, row.scalars(state, state.instant(as_of)), strict=True))


def of(found: dict[str, object], *windows: str) -> list[object]:
    return [found[f"orders_{window}"] for window in windows]


def test_the_lines_of_an_order_count_once_and_lines_without_an_order_each():
    found = served([line(1, "a", 0), line(2, "a", 0), line(3, None, 0), line(4, None, 0), line(5, "b", HOUR // 2)])
    assert of(found, "1h", "24h", "7d", "30d") == [4, 4, 4, 4]
    assert (found["lifetime_orders"], found["purchases_30d"], found["average_order_value_30d"]) == (4, 5, 5 / 4)


def test_an_order_counts_at_its_earliest_line_however_late_that_one_arrives():
    lines = [line(1, "a", 0), line(2, "a", 2 * HOUR), line(3, "a", 3 * DAY), line(4, "a", 20 * DAY)]
    counted = [of(served(lines[:count]), "1h", "24h", "7d", "30d") for count in range(1, 5)]
    assert counted == [[1, 1, 1, 1], [0, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 1]]
    assert served([*lines, line(5, "a", 400 * DAY)])["orders_30d"] == 0
    assert served([*lines, line(5, "a", 400 * DAY)])["lifetime_orders"] == 1


def test_an_order_moves_out_of_a_tile_that_was_dropped_long_ago():
    # The last event drops the tile of the first line; the second line is earlier still.
    events = [line(1, "a", 60 * DAY), line(2, None, 0), line(3, "a", 90 * DAY), line(4, "a", 1 * DAY)]
    assert of(served(events), "1h", "24h", "7d", "30d") == [1, 1, 1, 1]
    assert served(events)["lifetime_orders"] == 2


def test_a_free_order_is_one_and_a_purchase_without_a_price_is_none():
    found = served([line(1, "a", 0, price=0.0, quantity=3), line(2, "b", 0, None, 5), line(3, None, 0, None)])
    assert (found["orders_1h"], found["lifetime_orders"], found["units_1h"]) == (1, 1, 3)
    assert (found["average_order_value_30d"], found["mean_paid_30d"], found["purchases_1h"]) == (0.0, 0.0, 3)


def test_a_line_without_a_price_does_not_decide_when_its_order_counts():
    assert of(served([line(1, "a", 0), line(2, "a", 2 * DAY, None)]), "1h", "24h") == [1, 1]


def test_the_65th_order_puts_the_first_out_and_an_id_keeps_the_place_of_its_first_entry():
    events = [line(number, str(number), 0) for number in range(REMEMBERED_ORDERS)]
    # A further line of the first order does not refresh its place.
    events += [line(100, "0", HOUR), line(101, "new", 0)]
    assert served(events)["lifetime_orders"] == REMEMBERED_ORDERS + 1
    assert served([*events, line(102, "1", 0)])["lifetime_orders"] == REMEMBERED_ORDERS + 1, "still known"
    assert served([*events, line(102, "0", 0)])["lifetime_orders"] == REMEMBERED_ORDERS + 2, "an order anew"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, REMEMBERED_ORDERS - 1), AGES), min_size=1, max_size=80),
    st.integers(0, 2**32),
    st.booleans(),
)
def test_any_order_of_arrival_gives_the_same_while_all_orders_are_remembered(drawn, seed, through_bytes):
    events = [line(event, f"order {order}", age) for event, (order, age) in enumerate(drawn)]
    expected = reference.features(events)
    shuffled = list(events)
    random.Random(seed).shuffle(shuffled)
    state = UserState()
    for offset, event in enumerate(shuffled):
        state.apply(observe(event, offset), ENCODER)
        if through_bytes:
            state = codec.decode(codec.encode(state))
        # Reading makes running sums, which a moved order has to leave as well.
        row.scalars(state, state.instant(None))
    assert_equal(state, expected, None)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 90), AGES), min_size=70, max_size=200))
def test_beyond_64_orders_the_order_of_the_offsets_decides(drawn):
    events = [line(event, f"order {order}", age) for event, (order, age) in enumerate(drawn)]
    state = UserState()
    for offset, event in enumerate(events):
        state.apply(observe(event, offset), ENCODER)
    assert len(state.orders) <= REMEMBERED_ORDERS * ORDER_BYTES
    assert_equal(state, reference.features(events), None)


@pytest.mark.parametrize("timestamp", [0, 1, BASE, 253_402_300_799_999])
def test_a_key_that_stands_across_two_fields_is_no_order(timestamp):
    joined = orders.begun(orders.begun(b"", b"AAAAbbbb", timestamp), b"ccccDDDD", timestamp)
    across = joined[4 : 4 + KEY_BYTES], joined[8 : 8 + KEY_BYTES]
    assert [orders.place_of(joined, key) for key in across] == [NOWHERE, NOWHERE]
    assert orders.place_of(joined, b"ccccDDDD") == ORDER_BYTES
    assert orders.earliest(joined, ORDER_BYTES) == timestamp
    assert orders.earliest(orders.moved(joined, 0, timestamp - 1), 0) == timestamp - 1


def test_a_refund_may_come_before_its_purchase_and_leave_less_than_nothing():
    refund = Raw("clicks", "r", "refund", BASE, 7.5, 2)
    found = served([refund])
    assert (found["refunds_1h"], found["refunded_30d"], found["net_spend_30d"]) == (1, 15.0, -15.0)
    assert (found["lifetime_refunded"], found["lifetime_orders"], found["days_since_last_purchase"]) == (15.0, 0, None)
    found = served([refund, refund, line(1, "a", DAY, 10.0)])
    assert (found["refunds_30d"], found["net_spend_30d"], found["refunded_1h"]) == (1, -5.0, 15.0)
    assert served([Raw("clicks", "r", "refund", BASE)])["refunds_1h"] == 1
    assert served([Raw("clicks", "r", "refund", BASE)])["refunded_1h"] == 0.0
