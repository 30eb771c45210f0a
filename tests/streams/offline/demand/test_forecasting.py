from __future__ import annotations

import msgspec
import numpy as np
import pytest

from features.items.state import FORECAST_BYTES
from features.tiles import DAY
from streams.offline.demand.forecasting import FORECAST, forecasts
from streams.offline.demand.sales import Daily

FIRST_DAY = 17_532


def daily(units: list[int], views: int = 0) -> Daily:
    counts = np.array([[count, min(count, 1), views] for count in units], dtype=np.int64)
    return Daily((FIRST_DAY - len(units)) * DAY, counts)


def silent(what: str, done: int, of: int | None) -> None:
    assert of is None or 0 <= done <= of, what


@pytest.fixture(scope="module")
def told() -> dict[str, dict[str, object]]:
    many = {f"m{number}": daily(np.random.default_rng(number).poisson(3, 200).tolist()) for number in range(12)}
    few = {"new": daily([5] * 27), "unsold": daily([0] * 60, views=2), "once": daily([0] * 50 + [4])}
    return forecasts(many | few | {"steady": daily([2] * 90, views=4)}, FIRST_DAY, silent)


def test_sums_have_intervals_around_them(told: dict[str, dict[str, object]]) -> None:
    forecast = told["m3"]["forecast"]
    assert forecast["first_day"] == "2018-01-01"
    for days in (7, 28):
        sums = forecast[f"units_{days}d"]
        assert sums["low_95"] <= sums["low_80"] < sums["mean"] < sums["high_80"] <= sums["high_95"]
        assert sums["mean"] == pytest.approx(3 * days, rel=0.3)
    assert (forecast["reason"], forecast["method"], forecast["days"]) == (None, "blend", 200)


@pytest.mark.parametrize(("name", "reason"), [("new", "too_new"), ("unsold", "no_sales"), ("once", "too_few_sales")])
def test_what_cannot_be_told_says_why_and_has_no_number(
    told: dict[str, dict[str, object]], name: str, reason: str
) -> None:
    forecast = told[name]["forecast"]
    assert forecast["reason"] == reason
    assert [forecast[field] for field in ("method", "pattern", "units_7d", "units_28d")] == [None] * 4


def test_rates_and_conversion_are_of_whole_days(told: dict[str, dict[str, object]]) -> None:
    block = told["steady"]
    assert (block["units_per_day_7d"], block["units_per_day_30d"]) == (2.0, 2.0)
    assert block["trend"]["ratio"] == pytest.approx(1.0)
    assert block["conversion_7d"]["value"] == 0.25
    assert (block["forecast"]["made_at"], block["forecast"]["age_days"]) == (FIRST_DAY * DAY, 0.0)


def test_a_forecast_fits_into_the_state_of_an_item(told: dict[str, dict[str, object]]) -> None:
    for block in told.values():
        forecast = {name: block["forecast"][name] for name in FORECAST}
        assert set(block["forecast"]) - {"made_at", "age_days"} == set(FORECAST)
        assert len(msgspec.msgpack.encode(forecast)) < FORECAST_BYTES / 8


def test_nothing_known_is_nothing_told() -> None:
    assert forecasts({}, FIRST_DAY, silent) == {}
