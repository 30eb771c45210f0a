from __future__ import annotations

import asyncio

import pytest
from support.encoders import HashEncoder
from support.runs import quick_settings
from support.shoppers import encoded

from features.tiles import DAY, MINUTE
from streams.cli.replay import feed
from streams.drain import Drain
from streams.due_times import DueTimes
from streams.flow import Flow
from streams.results import last_scores
from streams.settings import WindowEdge

START = 1_764_000_000_000


class Clock:
    """A wall clock that moves when told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


def test_users_are_taken_in_the_order_of_their_due_times_each_once():
    due = DueTimes()
    for user, when in (("late", 30), ("early", 10), ("moved", 40), ("moved", 20), ("early", 15)):
        due.schedule(user, when)
    assert len(due) == 3
    assert due.take(now=9, limit=10) == []
    assert due.take(now=30, limit=2) == ["early", "moved"]
    assert due.take(now=100, limit=10) == ["late"]
    assert due.take(now=100, limit=10) == []


@pytest.fixture
async def quiet_flow(tmp_path):
    clock = Clock()
    settings = quick_settings(tmp_path, window_edge=WindowEdge.CLOCK, partitions=1)
    async with Flow(settings, encoder=HashEncoder(), clock=clock) as flow:
        drain = Drain(flow, 100)
        value = {"event_id": "1", "user_id": "u", "item_id": "i", "action": "purchase", "price": 5, "timestamp": START}
        feeder = await feed(flow, drain, encoded([{"topic": "clicks", "value": value}]))
        await drain.drained(feeder.ends)
        yield flow, clock


async def record_as_of(flow, instant):
    """The user's score record, once it is as of an instant or later."""
    async with asyncio.timeout(15):
        while (score := (await last_scores(flow.settings))["u"])["event_time"] < instant:
            await asyncio.sleep(0.05)
    return score


async def test_a_user_who_stops_is_scored_again_when_a_tile_leaves_a_window(quiet_flow):
    flow, clock = quiet_flow
    first = (await last_scores(flow.settings))["u"]
    for later in (66 * MINUTE, 2 * DAY, 9 * DAY, 32 * DAY, 61 * DAY, 121 * DAY):
        clock.now = START + later
        score = await record_as_of(flow, clock.now)
        assert score["event_time"] == clock.now
        assert score["trigger"] is None
        assert score["revision"] == 1
    assert score["prediction"] < first["prediction"]


async def test_nobody_is_scored_again_before_a_tile_leaves(quiet_flow):
    flow, clock = quiet_flow
    before = flow.tally.scores_out
    clock.now = START + 59 * MINUTE
    assert flow.engine.decays[0].touch_due() == 0
    clock.now = START + 66 * MINUTE
    await record_as_of(flow, clock.now)
    assert flow.tally.scores_out == before + 1
