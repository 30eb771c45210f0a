"""The stage of items fails apart from that of users: nothing said of an item is lost, and nothing counts twice."""

from __future__ import annotations

import asyncio
import signal

import pytest
from chaos.harness import distinct_texts
from chaos.zombies import overtaken
from support.shoppers import random_lines

USERS, ITEMS = {"stages": "users"}, {"stages": "items"}


async def test_items_catch_up_after_their_stage_was_down_and_was_killed(cluster):
    lines = random_lines(seed=51, events=1500, users=60)
    await cluster.start("users", **USERS).ready()
    await cluster.feed(lines[:1000])
    await cluster.drained(cluster.ends())
    assert await cluster.items_behind() > 0
    # Not waited for until it is ready: there is so much for it to do that it may be gone by then.
    doomed = cluster.start("items", **ITEMS, chaos_kill="after-item-changelog:2")
    assert await doomed.ended() == -signal.SIGKILL
    await cluster.feed(lines[1000:])
    await cluster.start("items", **ITEMS).ready()
    await cluster.drained()
    await cluster.check(lines)


@pytest.mark.chaos
async def test_two_item_workers_joining_and_leaving_share_the_items(cluster):
    lines = random_lines(seed=52, events=3000, users=100)
    await cluster.start("users", **USERS).ready()
    feeding = asyncio.create_task(cluster.feed(lines[:1500], 0.5))
    first = await cluster.start("first", **ITEMS).ready()
    second = await cluster.start("second", **ITEMS).ready()
    # The rest, so that there is something left for the second one, however long its start took.
    await feeding
    feeding = asyncio.create_task(cluster.feed(lines[1500:], 0.5))
    while not await second.metric("wherewithal_facts_applied_total"):
        await asyncio.sleep(0.05)
    await first.stop()
    await cluster.start("third", **ITEMS).ready()
    await feeding
    second.kill()
    await cluster.drained()
    await cluster.check(lines)


@pytest.mark.chaos
@pytest.mark.parametrize(
    "point", ["before-item-changelog", "after-item-changelog", "after-item-signal", "before-item-commit"]
)
async def test_an_item_worker_stopped_past_its_session_overwrites_nothing_newer(cluster, point):
    lines = random_lines(seed=53, events=3000, users=60)
    await cluster.start("users", **USERS).ready()
    zombie = await cluster.start("zombie", **ITEMS, chaos_suspend=f"{point}:5").ready()
    await overtaken(cluster, lines, zombie, **ITEMS)
    await cluster.corrected()
    await cluster.check(lines)
    assert zombie.process.poll() is None


@pytest.mark.chaos
@pytest.mark.parametrize("point", ["before-facts", "after-facts"])
async def test_a_worker_that_sends_facts_again_after_another_has_sent_them_counts_none_twice(cluster, point):
    lines = random_lines(seed=54, events=3000, users=60)
    zombie = await cluster.start("zombie", **USERS, chaos_suspend=f"{point}:5").ready()
    await cluster.start("items", **ITEMS).ready()
    await overtaken(cluster, lines, zombie, **USERS)
    await cluster.corrected()
    await cluster.check(lines)


@pytest.mark.chaos
async def test_titles_of_items_that_a_slow_encoder_was_killed_over_are_read_after_all(cluster):
    lines = distinct_texts(random_lines(seed=55, events=600, users=40))
    doomed = await cluster.start(chaos_encoder="slow:0.1", chaos_kill="before-item-title:5").ready()
    feeding = asyncio.create_task(cluster.feed(lines, 0.1))
    assert await doomed.ended() == -signal.SIGKILL
    await feeding
    await cluster.start().ready()
    await cluster.drained()
    await cluster.check(lines)
