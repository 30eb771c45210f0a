"""Items in the promoted weeks of the data."""

from __future__ import annotations

import random

import pytest

from features.tiles import DAY, HOUR
from streams.offline.complete_journey.promotions import WEEK, week_begin
from streams.offline.risk.promoted import AS_USUAL, ONE_DAY, bursts_of_sales, run, summary
from streams.offline.risk.traffic import Said

STEADY = [week_begin(2) + day * DAY for day in range(0, 350, 3)]


def sale(week: int, lines: int) -> list[int]:
    return [week_begin(week) + line * HOUR for line in range(lines)]


def test_the_promoted_week_that_sold_most_is_a_burst_if_it_sold_three_times_the_mean():
    times = {
        "burst": sorted(STEADY + sale(20, 12) + sale(30, 20)),
        "not promoted then": sorted(STEADY + sale(30, 20)),
        "no burst": STEADY,
    }
    weeks = {"burst": {20, 30}, "not promoted then": {25}, "no burst": {30}}
    found = bursts_of_sales(times, weeks)
    assert set(found) == {"burst"}
    begin, lines = found["burst"]
    assert begin == week_begin(30)
    assert lines == sum(begin <= when < begin + WEEK for when in times["burst"])


@pytest.mark.parametrize("week", [4, 50])
def test_a_week_without_a_past_or_a_time_to_watch_is_left_out(week):
    assert bursts_of_sales({"i": sorted(STEADY + sale(week, 20))}, {"i": {week}}) == {}


def test_none_is_flagged_on_made_up_items():
    times = {f"i{number}": sorted(STEADY + sale(20 + number, 15 + 3 * number)) for number in range(8)}
    weeks = {name: {20 + number} for number, name in enumerate(times)}
    sales = bursts_of_sales(times, weeks)
    assert set(sales) == set(times)
    begins = {name: begin for name, (begin, _) in sales.items()}
    said = {"any": {praises: [Said("", praises, 0.8 if praises else -0.8)] for praises in (True, False)}}
    watched = run(times, begins, said, random.Random(7), lambda *_: None)
    assert {each.name for each in watched[AS_USUAL]} == {each.name for each in watched[ONE_DAY]} == set(times)
    found = summary(times, weeks, sales, watched, 48)
    assert found["items"] == found["promoted"] == 8
    assert [found["flagged"][way]["at_alert"] for way in (AS_USUAL, ONE_DAY)] == [0, 0]
