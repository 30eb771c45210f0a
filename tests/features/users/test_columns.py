"""The table of columns: what stored tiles rely on, and what an event adds."""

from __future__ import annotations

from itertools import pairwise

import pytest

from features.observation import Kind, Observation, Source
from features.users.columns import (
    COLUMNS,
    DAYS,
    FIVE_MINUTES,
    HOURS,
    LAYOUTS,
    MINUS_ONE_ORDER,
    Measure,
    measures,
    order_adds,
)

COUNTS = ("views", "favorites", "carts", "purchases", "searches", "reviews")
# States hold these columns in this order for good; later ones follow.
STORED = {
    FIVE_MINUTES: (*COUNTS, "spend"),
    HOURS: (*COUNTS, "spend", "viewed_price", "priced_views"),
    DAYS: (*COUNTS, "spend", "viewed_price", "priced_views", "priced_purchases", "rating", "noisy_reviews"),
}


@pytest.mark.parametrize("layout", LAYOUTS, ids=["five minutes", "hours", "days"])
def test_the_columns_that_stored_tiles_hold_keep_their_places(layout):
    assert layout.names[: len(STORED[layout])] == STORED[layout]


def test_every_column_has_a_name_of_its_own():
    assert len({column.name for column in COLUMNS}) == len(COLUMNS)


def test_a_longer_tile_keeps_every_column_of_a_shorter_one():
    for shorter, longer in pairwise(LAYOUTS):
        assert set(shorter.names) <= set(longer.names)


def test_an_event_has_a_number_for_every_measure():
    review = Observation(Kind.REVIEW, Source.REVIEWS, 1, 0, b"", amount=4_500_000, noisy=True)
    assert dict(zip(Measure, measures(review, 0), strict=True)) == {
        Measure.ONE: 1,
        Measure.AMOUNT: 4_500_000,
        Measure.KNOWN: 1,
        Measure.NOISY: 1,
        Measure.UNITS: 0,
        Measure.ORDERS: 0,
    }
    view = Observation(Kind.VIEW, Source.CLICKS, 1, 0, b"")
    assert measures(view, 0) == (1, 0, 0, 0, 0, 0)
    bought = Observation(Kind.PURCHASE, Source.CLICKS, 1, 0, b"", amount=0, units=3)
    assert measures(bought, 1) == (1, 0, 1, 0, 3, 1)


def test_an_order_that_moves_takes_nothing_but_itself_out_of_a_tile():
    assert [MINUS_ONE_ORDER[measure] for layout in LAYOUTS for _, measure in order_adds(layout)] == [-1, -1, -1]
    assert len(MINUS_ONE_ORDER) == len(Measure)


def test_every_layout_knows_what_any_kind_adds():
    for layout in LAYOUTS:
        assert len(layout.adds) == max(Kind) + 1
