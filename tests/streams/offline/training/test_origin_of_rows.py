"""What training rows say of a shop's money."""

from __future__ import annotations

import numpy as np

from features.users.catalogue import NAMES
from streams.offline.training.origin import origin_of


def rows(*given: dict[str, float]) -> np.ndarray:
    return np.array([[row.get(name, np.nan) for name in NAMES] for row in given])


def test_a_user_counts_once_for_the_range_by_the_last_row_and_each_row_for_the_bands() -> None:
    first = [{"lifetime_orders": 1, "lifetime_spend": 1e6, "average_order_value_30d": 4.0}] * 20
    last = [{"lifetime_orders": 4, "lifetime_spend": 40.0, "mean_viewed_price_7d": 8.0}] * 20
    users = [f"u{number}" for number in range(20)] * 2
    instants = np.array([2] * 20 + [1] * 20)
    # The rows stand in any order; the instants tell.
    found = origin_of(rows(*last, *first), users, instants, shop="hats", currency="EUR")
    assert (found.shop, found.currency) == ("hats", "EUR")
    assert found.order_values == [10.0] * 5
    assert found.viewed_prices == [8.0] * 5
    assert found.price_bounds == [4.0, 4.0, 8.0]


def test_of_a_shop_without_prices_nothing_is_known() -> None:
    found = origin_of(
        rows(*[{"lifetime_orders": 3, "lifetime_spend": 0.0}] * 30),
        [f"u{number}" for number in range(30)],
        np.arange(30),
        shop="",
        currency="EUR",
    )
    assert (found.order_values, found.viewed_prices, found.price_bounds) == ([], [], [])
