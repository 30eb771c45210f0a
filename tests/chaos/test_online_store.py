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
REASON = "the online store refuses rows"
STAGES = ("users", "items")

ATTEMPTS = 5
"""A worker that is held up may lose its partitions in the midst of a command; not for ever."""


async def refused(worker):
    """Wait until the worker has noticed that the store refuses, and says so."""
    async with asyncio.timeout(PATIENCE_S):
        while REASON not in (await worker.get("/readyz"))[1]:
            await asyncio.sleep(0.05)
    await until(lambda: worker.said(REFUSES), PATIENCE_S, "the log has it")


async def held_up(cluster, worker, seconds):
    """While the store is gone the worker lives, says that it cannot serve, and commits nothing it could not store.

    However long that lasts: a stall that a known failure explains does not end it.
    """
    await cluster.let_hours_pass(worker)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        status, reason = await worker.get("/readyz")
        assert (status, REASON in reason.splitlines()) == (503, True), reason
        assert (await worker.get("/livez"))[0] == 200
        assert await cluster.behind() > 0
        await asyncio.sleep(0.2)


@pytest.mark.parametrize("seconds", [5, pytest.param(30, marks=pytest.mark.chaos)])
async def test_redis_that_is_stopped_and_started_again_holds_the_flow_up(redis_cluster, durable_redis, figure, seconds):
    lines = random_lines(seed=51, events=3000, users=100)
    worker = await redis_cluster.start().ready()
    await redis_cluster.feed(lines[:1000])
    await redis_cluster.drained()
    durable_redis.stop()
    await redis_cluster.feed(lines[1000:2000])
    await refused(worker)
    await held_up(redis_cluster, worker, seconds)
    durable_redis.start()
    figure(f"drained {await redis_cluster.drained():.1f} s after an outage of {seconds} s")
    assert worker.said(TAKES) is not None
    await worker.ready_again()
    await redis_cluster.feed(lines[2000:])
    await redis_cluster.drained()
    await redis_cluster.check(lines)


def take_overs(workers):
    """Every take-over so far, of each worker: its stage, and how many partitions that gave it."""
    entries = [[entry for entry in worker.entries() if entry["message"] == "state is recovered"] for worker in workers]
    return [[(entry["stage"], entry["partitions"]) for entry in of_worker] for of_worker in entries]


async def republish(cluster, *named):
    """Run the command for these workers; return its exit code and what it printed on either stream.

    A worker that is held up may lose its partitions to another one. So it is run while each has its own, and again if
    any was taken over meanwhile.
    """

    def shared():
        found = take_overs(cluster.workers)
        owned = [partitions for of_worker in found for partitions in dict(of_worker).values()]
        return found if sum(owned) == len(STAGES) * cluster.settings.partitions and all(map(len, found)) else None

    addresses = [f"http://127.0.0.1:{worker.said('serving metrics and health')['port']}" for worker in named]
    for _ in range(ATTEMPTS):
        before = await until(shared, PATIENCE_S, "each partition has one owner")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "streams.cli.main", "republish", "--worker", *addresses), stdout=-1, stderr=-1
        )
        printed = await asyncio.wait_for(process.communicate(), PATIENCE_S)
        if take_overs(cluster.workers) == before:
            return process.returncode, *(stream.decode() for stream in printed)
    raise AssertionError(f"partitions moved {ATTEMPTS} times: {cluster.tails()}")


async def test_redis_that_lost_everything_is_filled_again_by_all_workers_together(redis_cluster, durable_redis):
    lines = random_lines(seed=55, events=1500, users=100)
    one = await redis_cluster.start("one").ready()
    await redis_cluster.feed(lines[:500])
    await redis_cluster.drained()
    two = await redis_cluster.start("two").ready()
    await redis_cluster.feed(lines[500:])
    await redis_cluster.drained()
    durable_redis.client().flushall()
    code, out, errors = await republish(redis_cluster, one)
    assert (code, out) == (1, "")
    assert "left out: name every worker with --worker" in errors
    code, out, errors = await republish(redis_cluster, one, two)
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
    worker = await redis_cluster.start().ready()
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
    worker = await cluster.start().ready()
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
