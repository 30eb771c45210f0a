"""Partitions move between workers, and a worker that was stopped for long comes back as a zombie."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from chaos.harness import START_S, until
from chaos.zombies import overtaken
from support.shoppers import random_lines


@pytest.mark.chaos
async def test_two_workers_joining_and_leaving_share_the_work_without_losing_or_repeating_any(cluster):
    lines = random_lines(seed=41, events=3000, users=150)
    feeding = asyncio.create_task(cluster.feed(lines[:1500], 0.5))
    first = await cluster.start("first").ready()
    second = await cluster.start("second").ready()
    # The rest, so that there is something left for the second one, however long its start took.
    await feeding
    feeding = asyncio.create_task(cluster.feed(lines[1500:], 0.5))
    while not await second.metric("wherewithal_scores_total"):
        await asyncio.sleep(0.05)
    await first.stop()
    await cluster.start("third").ready()
    await feeding
    await cluster.drained()
    await cluster.check(lines)


async def test_three_workers_that_rejoin_faster_than_take_overs_end_lose_and_repeat_nothing(cluster):
    lines = random_lines(seed=44, events=2000, users=60)
    restless = {"chaos_rejoin": "8:0.6", "chaos_takeover": 2.0}
    workers = [await cluster.start("first").ready()]
    workers += [cluster.start(name, **restless) for name in ("second", "third")]
    feeding = asyncio.create_task(cluster.feed(lines, 0.8))
    for worker in workers[1:]:
        await worker.ready()
        await until(partial(worker.said, "rejoins no more"), START_S, "it rejoins no more")
    await feeding
    await cluster.drained()
    await cluster.check(lines)
    assert all(worker.process.poll() is None for worker in workers)


@pytest.mark.parametrize(
    "point",
    [
        "after-changelog",
        *(pytest.param(point, marks=pytest.mark.chaos) for point in ("before-changelog", "after-state", "after-score")),
        *(pytest.param(point, marks=pytest.mark.chaos) for point in ("before-online", "before-commit")),
        pytest.param("after-title", marks=pytest.mark.chaos),
    ],
)
async def test_a_worker_stopped_in_mid_commit_past_its_session_overwrites_nothing_newer(cluster, point):
    lines = random_lines(seed=42, events=3000, users=60)
    zombie = await cluster.start("zombie", chaos_suspend=f"{point}:5").ready()
    await overtaken(cluster, lines, zombie)
    await cluster.check(lines)
    assert zombie.process.poll() is None


@pytest.mark.chaos
async def test_a_worker_stopped_twice_at_random_overwrites_nothing_newer(redis_cluster):
    # With SQLite, a process that is stopped in the middle of a write keeps every other one from writing.
    cluster = redis_cluster
    lines = random_lines(seed=43, events=9000, users=60)
    zombie = await cluster.start("zombie").ready()
    await cluster.start("owner").ready()
    feeding = asyncio.create_task(cluster.feed(lines, 0.4))
    for _ in range(2):
        before = await zombie.metric("wherewithal_scores_total")
        while await zombie.metric("wherewithal_scores_total") == before:
            await asyncio.sleep(0.01)
        zombie.suspend()
        await cluster.drained(cluster.ends())
        zombie.resume()
    await feeding
    await cluster.drained()
    await cluster.corrected()
    await cluster.check(lines)
    assert zombie.process.poll() is None
