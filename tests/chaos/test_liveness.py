"""A worker that makes no progress ends itself, unless a failing dependency explains it."""

from __future__ import annotations

import asyncio
import time
from http.client import HTTPException

import pytest
from chaos.harness import until
from support.patience import PATIENCE_S
from support.shoppers import random_lines

pytestmark = pytest.mark.chaos


@pytest.mark.parametrize("point", ["before-changelog", "after-score", "before-item-changelog", "after-item-signal"])
async def test_a_worker_that_hangs_fails_livez_and_ends_so_that_another_goes_on(cluster, point, figure):
    lines = random_lines(seed=91, events=1000, users=60)
    worker = await cluster.start(chaos_hang=f"{point}:3", stall_s=3).ready()
    # Before it can hang: feeding may take as long as the stall.
    statuses = {(await worker.get("/livez"))[0]}
    await cluster.feed(lines)
    async with asyncio.timeout(PATIENCE_S):
        while worker.process.poll() is None:
            try:
                statuses.add((await worker.get("/livez"))[0])
            except (OSError, HTTPException):
                # Its port is closed a moment before the process is gone, which may cut an answer short.
                continue
            await asyncio.sleep(0.05)
    assert statuses == {200, 503}
    assert worker.process.returncode == 1
    (line,) = worker.plain_lines()
    assert "made no progress" in line
    assert ("item-facts-" in line) is ("item" in point)
    await cluster.start().ready()
    figure(f"drained {await cluster.drained():.1f} s after the next worker was ready")
    await cluster.check(lines)


async def test_a_worker_is_ready_only_once_its_state_is_recovered(cluster, figure):
    await cluster.feed(random_lines(seed=92, events=500, users=60))
    worker = cluster.start()
    await until(lambda: worker.said("serving metrics and health"), PATIENCE_S, "the health server answers")
    statuses = [(await worker.get("/readyz"))[0]]
    assert (await worker.get("/livez"))[0] == 200
    async with asyncio.timeout(PATIENCE_S):
        while statuses[-1] != 200:
            statuses.append((await worker.get("/readyz"))[0])
            await asyncio.sleep(0.02)
        ready = time.monotonic() - worker.began
        while not await worker.metric("wherewithal_scores_total"):
            await asyncio.sleep(0.02)
    figure(f"process start to ready {ready:.1f} s, to the first score {time.monotonic() - worker.began:.1f} s")
    assert statuses[0] == 503
    assert set(statuses) == {200, 503}
    assert worker.said("ready") is not None
