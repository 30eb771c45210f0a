from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from features.tiles import DAY
from streams.exceptions import ConfigurationError
from streams.offline.backtest.cdnow import PERIOD_END, Order, orders
from streams.offline.backtest.orders import by_customer, halves, read_customers, read_orders
from streams.offline.backtest.panel import CALIBRATION_END, EARLIER_DAYS, HORIZON_DAYS, panel

NOON = 12 * 3_600_000


def at(days, dollars=10.0, customer="1", units=1):
    """An order so many days after the end of the calibration period (before it, when negative)."""
    return Order(customer, CALIBRATION_END + days * DAY + NOON, units, dollars)


def quiet(*_):
    pass


def folded(*placed):
    return panel(by_customer(placed), quiet)


def test_the_master_format_has_four_columns(tmp_path):
    file = tmp_path / "orders.txt"
    file.write_text(" 00001 19970101  1   11.77\n 00002 19970112  5   77.00\n\n")
    first, second = read_orders(file)
    assert (first.customer_id, first.units, first.dollars) == ("00001", 1, 11.77)
    assert datetime.fromtimestamp(second.timestamp / 1000, UTC).date().isoformat() == "1997-01-12"
    assert read_orders(file) == [first, second]


@pytest.mark.parametrize(
    "text",
    [
        "customer date units dollars\n00001 19970101 1 11.77\n",
        "\ufeffcustomer_id,date,number_of_cds,dollar_value\r\n00001,19970101,1,11.77\r\n",
        '"customer id";"date";"units";"dollars"\n"00001";1997-01-01; 1 ;11.77\n',
        "\n  a\tb\tc\td\n00001\t19970101\t1\t11.77\n\n",
    ],
)
def test_a_header_is_passed_over_and_columns_may_be_divided_by_commas(tmp_path, text):
    bare, file = tmp_path / "bare.txt", tmp_path / "orders.txt"
    bare.write_text("00001 19970101 1 11.77\n")
    file.write_bytes(text.encode())
    assert read_orders(file) == read_orders(bare)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "found no line"),
        ("customer date units dollars\n", "found no line"),
        ("customer date units dollars\nagain date units dollars\n", "line 2: .*something else"),
        ("1 19970101 1\n", "line 1: .*found 3 columns"),
        ("1 1 19970101 1 9.9\n", "line 1: .*found 5 columns"),
        ("1 19970101 1 9.9\n2 19971301 1 9.9\n", "line 2: .*something else"),
        ("1 19970101 1 nan\n", "line 1: expected numbers from 0 up"),
        ("1 19970101 1 -2\n", "line 1: expected numbers from 0 up"),
    ],
)
def test_a_file_that_is_none_of_it_is_refused_by_line(tmp_path, text, expected):
    file = tmp_path / "orders.txt"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=expected):
        read_orders(file)


def test_orders_of_a_day_are_one():
    (summed,) = by_customer([at(-9, 5.0), at(-8, 1.0, units=2), at(-8, 2.0)]).values()
    assert [(order.dollars, order.units) for order in summed] == [(5.0, 1), (3.0, 3)]


def test_a_list_of_customers_may_leave_out_leading_zeros(tmp_path):
    file = tmp_path / "ids.txt"
    file.write_text("7\n00010\n\n")
    assert read_customers(file, ["00007", "00010", "00011"]) == ["00007", "00010"]


@pytest.mark.parametrize("text", ["", "12\n"])
def test_a_list_of_nobody_or_of_strangers_is_refused(tmp_path, text):
    file = tmp_path / "ids.txt"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match="without an order"):
        read_customers(file, ["00007"])


def test_halves_share_nobody_and_depend_on_the_seed_alone():
    everybody = [str(number) for number in range(11)]
    train, test = halves(everybody, 0)
    assert sorted(train + test) == sorted(everybody)
    assert (train, test) == halves(reversed(everybody), 0)
    assert train != halves(everybody, 1)[0]


def test_the_horizon_ends_with_the_data():
    assert CALIBRATION_END + HORIZON_DAYS * DAY == PERIOD_END


def test_a_feature_row_speaks_of_the_orders_before_the_cut_off():
    rows = folded(at(-200, 10.0), at(-100, 30.0), at(-5, 50.0), at(3, 70.0)).at_end
    features = {name: column[0] for name, column in rows.features.items()}
    assert features["lifetime_purchases"] == 3
    assert features["lifetime_spend"] == 90.0
    assert features["tenure_days"] == 199.5
    assert features["days_since_last_purchase"] == 4.5
    assert (features["purchases_30d"], features["spend_30d"]) == (1, 50.0)
    assert (rows.histories.orders[0], rows.histories.recency_days[0]) == (3, 195.0)


def test_what_was_spent_lies_between_the_cut_off_and_its_horizon():
    rows = folded(at(-200, 1.0), at(-100, 2.0), at(-29, 4.0), at(-28, 8.0), at(-1, 16.0), at(0, 32.0), at(170, 64.0))
    assert rows.at_end.spent[0] == 96.0
    inside = dict(zip(EARLIER_DAYS, (part.spent[0] for part in rows.inside), strict=True))
    assert inside == {112: 30.0, 84: 28.0, 56: 28.0, 28: 24.0}
    longer = dict(zip(EARLIER_DAYS, (part.spent[0] for part in rows.earlier), strict=True))
    assert longer == {112: 62.0, 84: 124.0, 56: 124.0, 28: 120.0}


def test_a_customer_appears_with_the_first_order():
    rows = folded(at(-200), at(-40, customer="2"), at(5, customer="3"))
    assert [list(part.customers) for part in rows.inside] == [["1"], ["1"], ["1"], ["1", "2"]]
    assert list(rows.at_end.customers) == ["1", "2"]


def test_the_holdout_changes_nothing_that_is_fitted_inside_the_calibration_period():
    bought = by_customer([order for order in orders() if order.customer_id < "02000"])
    before = {customer: [o for o in own if o.timestamp < CALIBRATION_END] for customer, own in bought.items()}
    whole, cut = panel(bought, quiet), panel(before, quiet)
    for seen, known in zip((whole.at_end, *whole.inside), (cut.at_end, *cut.inside), strict=True):
        assert all(np.array_equal(column, known.features[n], equal_nan=True) for n, column in seen.features.items())
        assert np.array_equal(seen.rfm, known.rfm)
    for seen, known in zip(whole.inside, cut.inside, strict=True):
        assert np.array_equal(seen.spent, known.spent)
    assert whole.at_end.spent.sum() > cut.at_end.spent.sum() == 0


def test_orders_of_another_time_are_refused():
    with pytest.raises(ConfigurationError, match="before each cut-off"):
        folded(at(10))


def test_progress_tells_how_many_customers_are_folded():
    told = []
    panel(by_customer([at(-200), at(-150, customer="2")]), lambda *what: told.append(what))
    assert told == [("folding customers", 2, 2)]
