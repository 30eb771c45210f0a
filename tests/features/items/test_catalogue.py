"""The catalogue of an item's features, and the columns that it is made of."""

from __future__ import annotations

from itertools import pairwise

import pytest
from support.item_reference import COUNTS, Said
from support.items import BASE, HEAD, apply_all, fact, placed

from features.items import row
from features.items.catalogue import INDEX, NAMES, OF_A_HEAD, SCALARS
from features.items.columns import COLUMNS, DAYS, FIVE_MINUTES, LAYOUTS, Measure, measures
from features.items.columns import OF_A_HEAD as COLUMNS_OF_A_HEAD
from features.items.state import ItemState
from features.row import row_source

# States hold these columns in this order for good; later ones follow.
SHORT = ("views", "favorites", "carts", "removes", "purchases", "refunds", "reviews", "units", "revenue", "refunded")
LONG = (*SHORT, "rating", "noisy_reviews", "polar_reviews", "polarity", "twice_gap")


def state_of_everything() -> ItemState:
    """An item with something in every column."""
    reviews = [Said("review", BASE, rating=4.0, polarity=0.25), Said("review", BASE, rating=2.0, noisy=True)]
    clicks = [Said(what, BASE, price=2.5, quantity=2) for what in COUNTS.values() if what != "review"]
    return apply_all(ItemState(), placed([Said("view", BASE - 1), *clicks, *reviews], [0]))


def test_a_row_has_a_value_of_the_type_of_each_feature() -> None:
    values = row.scalars(state_of_everything(), BASE, HEAD)
    types = {scalar.name: int if scalar.integer else float for scalar in SCALARS}
    assert {name: type(value) for name, value in zip(NAMES, values, strict=True)} == types
    assert all(values), "nothing is 0 or null once everything has happened"


def test_only_numbers_may_be_null() -> None:
    state = apply_all(ItemState(), placed([Said("favorite", BASE)], [0]))
    nulls = [scalar for scalar, value in zip(SCALARS, row.scalars(state, BASE, HEAD), strict=True) if value is None]
    assert nulls
    assert not any(scalar.integer for scalar in nulls)


def test_what_a_head_decides_is_named_in_catalogue_and_columns() -> None:
    assert {name for name in NAMES if any(column in row_line(name) for column in places())} == set(OF_A_HEAD)


def places() -> list[str]:
    return [f"sums_30d[{DAYS.place(name)}]" for name in COLUMNS_OF_A_HEAD]


def row_line(name: str) -> str:
    """The line of the generated row that makes a feature."""
    (line,) = [line for line in row_source(SCALARS).splitlines() if line.endswith(f"  # {name}")]
    return line


def test_every_name_is_there_once() -> None:
    assert len(set(NAMES)) == len(SCALARS) == len(INDEX)
    assert len({column.name for column in COLUMNS}) == len(COLUMNS)


@pytest.mark.parametrize("layout", LAYOUTS, ids=["five minutes", "hours", "days"])
def test_the_columns_that_stored_tiles_hold_keep_their_places(layout) -> None:
    stored = LONG if layout is DAYS else SHORT
    assert layout.names[: len(stored)] == stored


def test_a_longer_tile_keeps_every_column_of_a_shorter_one() -> None:
    assert FIVE_MINUTES is LAYOUTS[0]
    for shorter, longer in pairwise(LAYOUTS):
        assert set(shorter.names) <= set(longer.names)


def test_a_fact_has_a_number_for_every_measure() -> None:
    judged = fact(Said("review", BASE, rating=4.5, polarity=0.5), 1)
    assert dict(zip(Measure, measures(judged), strict=True)) == {
        Measure.ONE: 1,
        Measure.AMOUNT: 4_500_000,
        Measure.UNITS: 0,
        Measure.NOISY: 0,
        Measure.POLAR: 1,
        Measure.POLARITY: 500_000,
        Measure.TWICE_GAP: 500_000,
    }
    assert measures(fact(Said("review", BASE, rating=1.0, noisy=True), 1)) == (1, 1_000_000, 0, 1, 0, 0, 0)
    assert measures(fact(Said("purchase", BASE, price=2.0, quantity=3), 1)) == (1, 6_000_000, 3, 0, 0, 0, 0)
    assert measures(fact(Said("view", BASE, price=2.0), 1)) == (1, 0, 0, 0, 0, 0, 0)
