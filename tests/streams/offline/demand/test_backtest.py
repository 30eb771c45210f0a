from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from support.paths import ROOT

from models.demand.methods import BASELINES, BLENDS, CHOSEN
from models.demand.rolling import HORIZONS
from streams.offline.complete_journey.purchases import LeftOut
from streams.offline.demand.backtest import backtest
from streams.offline.demand.journey import Journey
from streams.offline.demand.page import page, write_report
from streams.offline.demand.protocol import CHOOSING, FIRST_DAY, JUDGING, LAST_DAY, STEP

METHODS = (*BASELINES, "ses", CHOSEN)


@pytest.fixture(scope="module")
def document():
    generator = np.random.default_rng(1)
    week = np.tile([1.0, 1, 1, 1, 1, 3, 3], 53)[:365]
    steady = {f"p{n}": generator.poisson(2 * week).astype(float) for n in range(6)}
    seldom = {f"c{n}": generator.poisson(0.2, 300).astype(float) for n in range(4)} | {"unsold": np.zeros(365)}
    kinds = {"products": steady, "categories": seldom}
    return backtest(kinds, lambda *_: None, CHOOSING[:2], JUDGING[-2:], METHODS)


def test_the_origins_keep_choosing_and_judging_apart() -> None:
    assert all((day.weekday(), later - day) == (0, STEP) for day, later in pairwise(JUDGING))
    assert (JUDGING[0] - CHOOSING[-1]).days == HORIZONS[-1]
    assert (LAST_DAY - JUDGING[-1]).days + 1 == HORIZONS[-1]
    assert (CHOOSING[0] - FIRST_DAY).days > 4 * HORIZONS[-1]


def test_steady_sales_are_told_better_than_by_baselines_that_follow_noise(document) -> None:
    for days in ("7", "28"):
        found = document["judging"]["kinds"]["products"][days]
        assert found["forecasts"] == 12
        assert found["methods"][CHOSEN]["mase"] < found["methods"]["seasonal_naive"]["mase"]
        assert found["lead"]["naive"]["low"] > 0
        assert found["coverage"]["80"]["covered"] <= found["coverage"]["95"]["covered"]
        assert found["lost"]["of"] == 6


def test_a_series_without_sales_is_not_judged(document) -> None:
    found = document["judging"]["kinds"]["categories"]["7"]
    assert found["forecasts"] == 8
    assert set(found["patterns"]) <= {"intermittent", "lumpy"}


def test_methods_are_compared_on_the_earlier_origins_alone(document) -> None:
    assert document["choosing"]["origins"] == [day.isoformat() for day in CHOOSING[:2]]
    assert set(document["choosing"]["order"]) == set(METHODS)
    assert document["choosing"]["order"]["moving_average"] == 1.0
    assert document["blend"] == list(BLENDS[CHOSEN])


def test_the_page_names_the_data_and_says_where_the_forecast_loses(document, tmp_path) -> None:
    found = Journey({}, {}, {}, LeftOut(11_275, 11_226, 8_869))
    whole = write_report(document, found, tmp_path / "new" / "report")
    text = (tmp_path / "new" / "report" / "demand.md").read_text()
    assert text == page(whole)
    assert "simulated from real shopping" in text
    assert "11,275 lines" in text
    assert text.count("It loses to the best") == 4
    assert "nan" not in text
    assert text.count("By pattern, it is behind a baseline on:") == 4


def test_the_report_of_the_repository_is_of_the_method_that_serves_and_keeps_what_its_page_claims() -> None:
    report = json.loads((ROOT / "docs" / "report" / "demand.json").read_bytes())
    assert page(report) == (ROOT / "docs" / "report" / "demand.md").read_text(), "run `make report`"
    assert (report["chosen"], report["blend"]) == (CHOSEN, list(BLENDS[CHOSEN])), "run `make report`"
    assert report["best_choosing"] == CHOSEN
    assert report["judging"]["origins"] == [day.isoformat() for day in JUDGING]
    for horizons in report["judging"]["kinds"].values():
        for found in horizons.values():
            ours = found["methods"][CHOSEN]["mase"]
            assert all(ours < found["methods"][name]["mase"] for name in BASELINES)
            for level, told in found["coverage"].items():
                assert abs(told["covered"] - int(level) / 100) <= 0.03
