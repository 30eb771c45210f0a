from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.command import VIEW, write_lines

from features.tiles import DAY, HOUR
from streams.exceptions import RefusedInputError
from streams.offline.demand.sales import PURCHASES, UNITS, VIEWS, Sales
from streams.settings import load_settings
from streams.sources.options import AS_THEY_ARE

DAY_0 = 20_000
BUY = VIEW | {"action": "purchase", "price": 2.0, "quantity": 3, "category": "tea"}


def click(event_id: str, day: float, **given: Any) -> dict[str, Any]:
    value = BUY | {"event_id": event_id, "item_id": "a", "timestamp": int((DAY_0 + day) * DAY)} | given
    return {"topic": "clicks", "value": {name: value for name, value in value.items() if value is not None}}


def read(folder: Path, lines: list[Any], until: int | None = None) -> Sales:
    sales = Sales(load_settings(), AS_THEY_ARE)
    sales.read([write_lines(folder / "e.ndjson", lines)], lambda *_: None, 0.5, until)
    return sales


def units(sales: Sales, until: int, name: str = "a") -> list[int]:
    return list(sales.by_item(DAY_0 + until)[name].counts[:, UNITS])


def test_units_are_of_purchases_with_a_price_on_their_utc_day(tmp_path: Path) -> None:
    sales = read(
        tmp_path,
        [
            click("1", 0),
            click("2", 1 - 1 / DAY),
            click("3", 1),
            click("4", 3, price=None),
            click("5", 3, price=0.0, quantity=1),
            click("6", 3, action="refund"),
            click("7", 3, action="view"),
        ],
    )
    assert units(sales, 4) == [6, 3, 0, 1]
    counts = sales.by_item(DAY_0 + 4)["a"].counts[3]
    assert (counts[PURCHASES], counts[VIEWS]) == (2, 1)


def test_a_series_begins_with_the_first_event_of_any_kind(tmp_path: Path) -> None:
    review = {"event_id": "r", "user_id": "u", "item_id": "a", "text": "fine", "rating": 4}
    lines = [click("1", 5), {"topic": "reviews", "value": review | {"timestamp": (DAY_0 + 2) * DAY}}]
    assert units(read(tmp_path, lines), 7) == [0, 0, 0, 3, 0]


def test_the_day_of_the_origin_and_what_follows_is_not_seen(tmp_path: Path) -> None:
    lines = [click("1", 0), click("2", 2), click("3", 2, item_id="later")]
    sales = read(tmp_path, lines)
    assert units(sales, 2) == [3, 0]
    assert "later" not in sales.by_item(DAY_0 + 2)
    cut = read(tmp_path, lines, until=DAY_0 * DAY + HOUR)
    assert cut.newest == DAY_0 * DAY
    assert cut.applied == 1


def test_repetitions_and_what_an_erasure_refuses_do_not_count_and_what_it_follows_does(tmp_path: Path) -> None:
    erasure = {"topic": "erasures", "value": {"user_id": VIEW["user_id"], "timestamp": (DAY_0 + 1) * DAY}}
    lines = [click("1", 0), click("1", 0), erasure, click("2", 1), click("1", 2), click("3", 2)]
    sales = read(tmp_path, lines)
    # After the erasure the id is forgotten, and the older event refused.
    assert units(sales, 3) == [3, 0, 6]
    assert (sales.events, sales.applied) == (5, 3)


def test_an_id_is_a_repetition_while_it_is_among_the_last_128(tmp_path: Path) -> None:
    lines = [click(str(number), 0, quantity=1) for number in range(129)]
    assert units(read(tmp_path, [*lines, click("1", 0, quantity=1)]), 1) == [129]
    assert units(read(tmp_path, [*lines, click("0", 0, quantity=1)]), 1) == [130]


def test_a_purchase_without_a_category_counts_for_that_of_its_item(tmp_path: Path) -> None:
    lines = [
        click("1", 0, category=None),
        click("2", 1, category="tea"),
        click("3", 2, category="coffee", action="view"),
        click("4", 2, category=None, item_id="nameless"),
    ]
    found = read(tmp_path, lines).by_category(DAY_0 + 3)
    assert {name: list(daily.counts[:, UNITS]) for name, daily in found.items()} == {"tea": [3, 0], "coffee": [3, 0, 0]}
    assert found["coffee"].counts[2, VIEWS] == 1


def test_one_event_with_a_date_long_ago_makes_no_series_of_decades(tmp_path: Path) -> None:
    lines = [click("1", 0), click("2", 0, timestamp=631_152_000_000)]
    daily = read(tmp_path, lines).by_item(DAY_0 + 1)["a"]
    assert len(daily.counts) == 3 * 365
    assert daily.oldest == 631_152_000_000
    assert np.count_nonzero(daily.units) == 1


def test_files_without_events_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(RefusedInputError, match="expected events, found none"):
        read(tmp_path, ["no event", {"topic": "clicks"}])
