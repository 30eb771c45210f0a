"""An online store that is down, slow, full or locked holds the flow up; nothing is dropped or committed meanwhile."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from functools import partial

import pytest
from chaos.harness import until
from support.patience import PATIENCE_S
from support.shoppers import random_lines

REFUSES = "online store refuses rows"
TAKES = "online store takes rows again"


async def refused(worker):
    """Wait until the worker has noticed that the store refuses."""
    async with asyncio.timeout(PATIENCE_S):
        while not await worker.metric("wherewithal_online_failures_total"):
            await asyncio.sleep(0.05)
    assert worker.said(REFUSES) is not None


async def held_up(cluster, worker, seconds):
    """While the store is gone the worker lives, says that it cannot serve, and commits nothing it could not store."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        status, reason = await worker.get("/readyz")
        assert (status, reason.strip()) == (503, "the online store refuses rows")
        assert (await worker.get("/livez"))[0] == 200
        assert await cluster.behind() > 0
        await asyncio.sleep(0.2)


@pytest.mark.parametrize("seconds", [8, pytest.param(30, marks=pytest.mark.chaos)])
async def test_redis_that_is_stopped_and_started_again_holds_the_flow_up(redis_cluster, durable_redis, figure, seconds):
    lines = random_lines(seed=51, events=3000, users=100)
    # A stall limit below the outage: a stall that a known failure explains does not end the worker.
    worker = await redis_cluster.start(stall_s=5).ready()
    await redis_cluster.feed(lines[:1000])
    await redis_cluster.drained()
    durable_redis.stop()
    await redis_cluster.feed(lines[1000:2000])
    await refused(worker)
    await held_up(redis_cluster, worker, seconds)
    durable_redis.start()
    figure(f"drained {await redis_cluster.drained():.1f} s after an outage of {seconds} s")
    assert worker.said(TAKES) is not None
    assert (await worker.get("/readyz"))[0] == 200
    await redis_cluster.feed(lines[2000:])
    await redis_cluster.drained()
    await redis_cluster.check(lines)


async def republish(*workers):
    """Run the command for these workers; return its exit code and what it printed on either stream."""
    addresses = [f"http://127.0.0.1:{worker.said('serving metrics and health')['port']}" for worker in workers]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "streams.cli.main", "republish", "--worker", *addresses), stdout=-1, stderr=-1
    )
    printed = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    return process.returncode, *(stream.decode() for stream in printed)


async def test_redis_that_lost_everything_is_filled_again_by_all_workers_together(redis_cluster, durable_redis):
    lines = random_lines(seed=55, events=1500, users=100)
    one = await redis_cluster.start("one").ready()
    await redis_cluster.feed(lines[:500])
    await redis_cluster.drained()
    two = await redis_cluster.start("two").ready()
    await redis_cluster.feed(lines[500:])
    await redis_cluster.drained()
    durable_redis.client().flushall()
    code, out, errors = await republish(one)
    assert (code, out) == (1, "")
    assert "left out: name every worker with --worker" in errors
    code, out, errors = await republish(one, two)
    assert (code, out.startswith("published ")) == (0, True), errors
    await redis_cluster.check(lines)


@pytest.mark.chaos
async def test_redis_that_is_started_again_without_its_rows_is_filled_by_the_workers_themselves(
    redis_cluster, durable_redis
):
    lines = random_lines(seed=59, events=1500, users=100)
    worker = await redis_cluster.start().ready()
    await redis_cluster.feed(lines[:1200])
    await redis_cluster.drained()
    durable_redis.stop()
    durable_redis.lose()
    await redis_cluster.feed(lines[1200:])
    await refused(worker)
    durable_redis.start()
    await redis_cluster.drained()
    await until(partial(worker.said, "users published again"), PATIENCE_S, "the store is filled")
    await redis_cluster.check(lines)


@pytest.mark.chaos
async def test_redis_that_answers_late_is_asked_again(redis_cluster, durable_redis):
    lines = random_lines(seed=52, events=2000, users=100)
    worker = await redis_cluster.start().ready()
    feeding = asyncio.create_task(redis_cluster.feed(lines, 0.3))
    for pause_ms in (1000, 4000, 20_000):
        while not await redis_cluster.behind():
            await asyncio.sleep(0.02)
        durable_redis.client().client_pause(pause_ms)
    await refused(worker)
    await feeding
    await redis_cluster.drained()
    await redis_cluster.check(lines)


@pytest.mark.chaos
async def test_redis_without_memory_left_holds_the_flow_up_until_it_has_some(redis_cluster, durable_redis):
    lines = random_lines(seed=53, events=2000, users=100)
    worker = await redis_cluster.start(stall_s=2).ready()
    durable_redis.client().config_set("maxmemory-policy", "noeviction")
    durable_redis.client().config_set("maxmemory", "1mb")
    await redis_cluster.feed(lines)
    await refused(worker)
    assert "no memory left" in worker.said(REFUSES)["error"]
    await held_up(redis_cluster, worker, 4)
    durable_redis.client().config_set("maxmemory", "0")
    await redis_cluster.drained()
    await redis_cluster.check(lines)


@pytest.mark.chaos
async def test_sqlite_locked_by_another_process_is_waited_for(cluster):
    lines = random_lines(seed=54, events=2000, users=100)
    # SQLite itself waits for 5 s before it refuses.
    worker = await cluster.start(stall_s=8).ready()
    await cluster.feed(lines[:500])
    await cluster.drained()
    other = sqlite3.connect(cluster.folder / "online.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    await cluster.feed(lines[500:])
    await refused(worker)
    await held_up(cluster, worker, 6)
    other.execute("ROLLBACK")
    other.close()
    await cluster.drained()
    await cluster.check(lines)
