"""The block `demand` of an item's record."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.tiles import DAY, HOUR
from streams.records.items.demand_block import demand_block, wilson

T = 20_000 * DAY + 12 * HOUR


def _values(**given: Any) -> dict[str, Any]:
    plain = {
        "units_7d": 14,
        "units_30d": 30,
        "purchases_7d": 10,
        "purchases_30d": 25,
        "views_7d": 100,
        "conversion_7d": 0.1,
        "tenure_days": 400.0,
    }
    return plain | given


def test_rates_divide_by_the_days_that_the_windows_cover() -> None:
    block = demand_block(_values(), T, None, None)
    assert block["units_per_day_7d"] == pytest.approx(14 / 7)
    # The window of 30 days begins at a midnight: here it covers half a day more.
    assert block["units_per_day_30d"] == pytest.approx(30 / 30.5)
    young = demand_block(_values(tenure_days=2.0), T, None, None)
    assert young["units_per_day_7d"] == young["units_per_day_30d"] * 14 / 30 == pytest.approx(7.0)
    newborn = demand_block(_values(tenure_days=0.001), T, None, None)
    assert newborn["units_per_day_7d"] == 14.0


def test_the_trend_is_the_ratio_of_rates_with_an_interval_around_it() -> None:
    trend = demand_block(_values(), T, None, None)["trend"]
    assert trend["ratio"] == pytest.approx((10 / 7) / (15 / 23.5))
    assert trend["low"] < trend["ratio"] < trend["high"]
    assert (trend["recent"], trend["before"], trend["reason"]) == (10, 15, None)


def test_a_trend_that_cannot_be_told_says_why() -> None:
    assert demand_block(_values(tenure_days=7.5), T, None, None)["trend"]["reason"] == "too_new"
    nothing = demand_block(_values(purchases_7d=0, purchases_30d=0), T, None, None)["trend"]
    assert (nothing["ratio"], nothing["reason"]) == (None, "no_sales")
    begun = demand_block(_values(purchases_7d=9, purchases_30d=9), T, None, None)["trend"]
    assert begun["ratio"] is None
    assert begun["high"] is None
    assert begun["low"] > 1


def test_conversion_has_an_interval_where_it_is_a_share() -> None:
    found = demand_block(_values(), T, None, None)["conversion_7d"]
    # Newcombe's example of Wilson's interval for 10 of 100.
    assert (found["low"], found["high"]) == (pytest.approx(0.0552, abs=1e-4), pytest.approx(0.1744, abs=1e-4))
    beyond = demand_block(_values(views_7d=3, conversion_7d=10 / 3), T, None, None)["conversion_7d"]
    assert (beyond["value"], beyond["low"], beyond["high"]) == (10 / 3, None, None)
    unseen = demand_block(_values(views_7d=0, conversion_7d=None), T, None, None)["conversion_7d"]
    assert (unseen["value"], unseen["low"]) == (None, None)


def test_a_forecast_is_served_as_published_with_its_age() -> None:
    told = {"pattern": "smooth", "reason": None}
    assert demand_block(_values(), T, told, T - 3 * DAY)["forecast"] == told | {"made_at": T - 3 * DAY, "age_days": 3.0}
    assert demand_block(_values(), T, told, T + DAY)["forecast"]["age_days"] == 0.0
    assert demand_block(_values(), T, None, None)["forecast"] is None


@given(st.integers(1, 10**7), st.floats(0, 1))
def test_an_interval_of_a_share_holds_the_share(whole: int, of: float) -> None:
    part = round(whole * of)
    low, high = wilson(part, whole)
    assert 0 <= low <= part / whole <= high <= 1


@given(
    st.integers(0, 1000),
    st.integers(0, 1000),
    st.integers(0, 1000),
    st.floats(0, 10_000),
    st.integers(0, DAY),
)
def test_every_number_of_a_block_is_finite(recent: int, before: int, views: int, tenure: float, offset: int) -> None:
    values = _values(
        purchases_7d=recent,
        purchases_30d=recent + before,
        views_7d=views,
        tenure_days=tenure,
        conversion_7d=recent / views if views else None,
    )
    block = demand_block(values, T + offset, None, None)
    numbers = [block["units_per_day_7d"], block["units_per_day_30d"], *block["trend"].values()]
    assert all(math.isfinite(number) for number in numbers if isinstance(number, float))
