from __future__ import annotations

import asyncio

import pytest
from support.encoders import HashEncoder
from support.patience import PATIENCE_S
from support.runs import quick_settings
from support.shoppers import arriving

from features.tiles import DAY, MINUTE
from streams.cli.replay import feed
from streams.operating.drain import Drain
from streams.operating.read_back import last_scores
from streams.settings import StateStore, WindowEdge
from streams.worker.applying import decay
from streams.worker.applying.due_times import DueTimes
from streams.worker.flow import Flow

START = 1_764_000_000_000


class Clock:
    """A wall clock that moves when told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


def test_users_are_taken_in_the_order_of_their_due_times_each_once():
    due = DueTimes()
    for user, when in (("late", 30), ("early", 10), ("moved", 20), ("moved", 40), ("early", 15)):
        due.schedule(user, when * MINUTE)
    assert len(due) == 3
    assert due.take(now=10 * MINUTE - 1, limit=10) == []
    assert due.take(now=30 * MINUTE, limit=2) == ["early", "moved"]
    assert due.take(now=100 * MINUTE, limit=10) == ["late"]
    assert due.take(now=100 * MINUTE, limit=10) == []


def purchase(number, user, timestamp):
    value = {"event_id": str(number), "user_id": user, "item_id": "i", "action": "purchase", "timestamp": timestamp}
    return {"topic": "clicks", "value": value}


async def put_through(flow, events):
    drain = Drain(flow, 100)
    feeder = await feed(flow, drain, arriving(events))
    await drain.drained(feeder.ends)


@pytest.fixture
async def quiet_flow(tmp_path, broker):
    clock = Clock()
    settings = quick_settings(tmp_path, window_edge=WindowEdge.CLOCK, partitions=1)
    async with Flow(settings, encoder=HashEncoder(), clock=clock) as flow:
        await put_through(flow, [purchase(1, "u", START)])
        yield flow, clock


async def record_as_of(flow, instant):
    """The user's score record, once it is as of an instant or later."""
    async with asyncio.timeout(PATIENCE_S):
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
    assert flow.engine.held.decays[0].touch_due() == 0
    clock.now = START + 66 * MINUTE
    await record_as_of(flow, clock.now)
    # The broker has the record before the worker hears so, and counts it.
    await flow.engine.held.settle()
    assert flow.tally.scores_out == before + 1


async def test_whoever_was_due_but_not_published_before_a_restart_is_after_it(tmp_path, broker, monkeypatch):
    monkeypatch.setattr(decay, "SLICE_KEYS", 5)
    monkeypatch.setattr(decay, "POLL_S", 0.05)
    clock = Clock()
    settings = quick_settings(
        tmp_path,
        window_edge=WindowEdge.CLOCK,
        partitions=1,
        state_store=StateStore.ROCKSDB,
        broker=broker.url,
    )
    async with Flow(settings, encoder=HashEncoder(), clock=clock) as flow:
        await put_through(flow, [purchase(number, f"u{number}", START) for number in range(30)])
        # All of them are due at once, and an event follows when five of them are published.
        flow.engine.held.decays[0].stop()
        clock.now = START + 66 * MINUTE
        assert flow.engine.held.decays[0].touch_due() == 5
        await put_through(flow, [purchase(30, "late", clock.now)])
    async with Flow(settings, encoder=HashEncoder(), clock=clock) as flow, asyncio.timeout(PATIENCE_S):
        while min(score["event_time"] for score in (await last_scores(settings)).values()) < clock.now:
            await asyncio.sleep(0.05)


async def test_the_store_remembers_how_far_users_are_kept_once_they_are_published(quiet_flow):
    flow, clock = quiet_flow
    partition = flow.engine.partitions[0]
    clock.now = START + 66 * MINUTE
    await record_as_of(flow, clock.now)
    async with asyncio.timeout(PATIENCE_S):
        while partition.kept_until < clock.now:
            await asyncio.sleep(0.05)
    await put_through(flow, [purchase(2, "u", clock.now)])
    assert partition.states.progress(0).kept_until == clock.now
