"""A worker killed at any instant loses nothing and counts nothing twice."""

from __future__ import annotations

import asyncio
import random
import signal

import pytest
from chaos.harness import distinct_texts
from support.shoppers import random_lines

from streams.contract import CAPACITY
from streams.operating.read_back import last_records

POINTS = (
    *("after-changelog", "after-state", "after-score", "after-online", "before-commit", "after-commit"),
    *("before-title", "after-title"),
    *("before-facts", "after-facts"),
    *("after-item-changelog", "after-item-state", "after-item-signal", "after-item-online"),
    *("before-item-commit", "after-item-commit", "before-item-title", "after-item-title"),
)


async def killed_at_random(cluster, lines, kills, *, seed, pause_s, **environment):
    """Kill a worker `kills` times while lines flow, then have the last one drain."""
    rng = random.Random(seed)
    feeding = asyncio.create_task(cluster.feed(lines, pause_s))
    for _ in range(kills):
        worker = await cluster.start(**environment).ready()
        # The instant is the point of the test: anything from the first fetch to well into the work.
        await asyncio.sleep(rng.uniform(0.0, 1.5))
        worker.kill()
    await cluster.start(**environment).ready()
    await feeding
    await cluster.drained()


async def test_a_worker_killed_three_times_in_one_stream_ends_with_the_features_of_the_reference(cluster):
    lines = distinct_texts(random_lines(seed=31, events=4000, users=150))
    await killed_at_random(cluster, lines, 3, seed=1, pause_s=0.4, chaos_encoder="slow:0.02")
    await cluster.check(lines)


@pytest.mark.chaos
async def test_a_worker_killed_twenty_times_in_one_stream_ends_with_the_features_of_the_reference(cluster, figure):
    lines = random_lines(seed=32, events=40_000, users=500)
    await killed_at_random(cluster, lines, 20, seed=2, pause_s=0.3)
    outcome = await cluster.check(lines)
    figure(f"20 kills, {len(lines):,} events, {len(outcome.features)} users, no mismatch")


@pytest.mark.chaos
async def test_a_worker_killed_five_times_with_texts_in_flight_encodes_them_again(cluster):
    lines = distinct_texts(random_lines(seed=33, events=3000, users=100))
    texts = [line for line in lines if line["topic"] != "clicks"]
    await cluster.feed(lines)
    for _ in range(5):
        worker = await cluster.start(chaos_encoder="slow:0.3").ready()
        queued = 0.0
        while not queued:
            queued = await worker.metric("wherewithal_encoder_queue_texts")
        worker.kill()
        assert await cluster.behind(cluster.ends("reviews", "searches")) > 0
    await cluster.start().ready()
    await cluster.drained()
    outcome = await cluster.check(lines)
    assert sum(row["revision"] for row in outcome.features.values()) >= len(texts)


@pytest.mark.chaos
@pytest.mark.parametrize("passage", [1, 4])
@pytest.mark.parametrize("point", POINTS)
async def test_a_kill_between_any_two_acknowledgements_is_made_up_for(cluster, point, passage):
    lines = random_lines(seed=34 + passage, events=2000, users=80)
    doomed = await cluster.start(chaos_kill=f"{point}:{passage}").ready()
    feeding = asyncio.create_task(cluster.feed(lines, 0.4))
    assert await doomed.ended() == -signal.SIGKILL
    await cluster.start().ready()
    await feeding
    await cluster.drained()
    await cluster.check(lines)


async def test_a_worker_killed_with_titles_in_flight_reads_them_after_all(cluster):
    lines = distinct_texts(random_lines(seed=39, events=1500, users=60))
    worker = await cluster.start(chaos_encoder="slow:0.3").ready()
    await cluster.feed(lines)
    while not await worker.metric("wherewithal_waiting_titles"):
        await asyncio.sleep(0.02)
    worker.kill()
    assert await cluster.behind(cluster.ends("clicks")) > 0
    await cluster.start().ready()
    await cluster.drained()
    await cluster.check(lines)


async def test_a_worker_told_to_stop_settles_what_it_applied_and_leaves(cluster, figure):
    lines = random_lines(seed=36, events=2000, users=80)
    worker = await cluster.start().ready()
    feeding = asyncio.create_task(cluster.feed(lines, 0.1))
    while not await worker.metric("wherewithal_scores_total"):
        await asyncio.sleep(0.02)
    seconds = await worker.stop()
    assert worker.process.returncode == 0
    figure(f"left {seconds:.1f} s after SIGTERM")
    assert worker.said("left") is not None
    await feeding
    await cluster.start().ready()
    await cluster.drained()
    await cluster.check(lines)


@pytest.mark.chaos
async def test_an_erasure_whose_worker_is_killed_half_way_is_carried_out(cluster):
    lines = random_lines(seed=37, events=600, users=20)
    worker = await cluster.start().ready()
    await cluster.feed(lines)
    await cluster.drained()
    worker.kill()
    gone = lines[0]["value"]["user_id"]
    latest = max(line["value"]["timestamp"] for line in lines)
    for point in ("after-changelog", "after-score"):
        doomed = cluster.start(chaos_kill=f"{point}:1")
        await cluster.feed([{"topic": "erasures", "value": {"user_id": gone, "timestamp": latest}}])
        assert await doomed.ended() == -signal.SIGKILL
    await cluster.start().ready()
    await cluster.drained()
    outcome = await cluster.read_back(sorted({line["value"]["user_id"] for line in lines}))
    others = {line["value"]["user_id"] for line in lines} - {gone}
    assert outcome.features.keys() == outcome.scores.keys() == others
    assert set(await last_records(cluster.settings, CAPACITY)) == others
