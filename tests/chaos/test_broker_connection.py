"""Connections to the broker that are cut, delayed, stalled and refused."""

from __future__ import annotations

import asyncio
import random

import pytest
from support.shoppers import random_lines

pytestmark = pytest.mark.chaos


async def test_connections_cut_again_and_again_lose_and_repeat_nothing(proxied_cluster, proxy, figure):
    lines = random_lines(seed=101, events=2000, users=100)
    rng = random.Random(1)
    worker = await proxied_cluster.start().ready()
    feeding = asyncio.create_task(proxied_cluster.feed(lines, 0.2))
    cut = 0
    for _ in range(8):
        # The instant is the point of the test.
        await asyncio.sleep(rng.uniform(0.1, 0.8))
        cut += await proxy.cut()
    await feeding
    figure(f"{cut} connections cut; drained {await proxied_cluster.drained():.1f} s after the last line")
    assert cut >= 8
    await proxied_cluster.check(lines)
    assert worker.process.poll() is None


async def test_a_slow_broker_slows_the_flow_and_nothing_else(proxied_cluster, proxy):
    lines = random_lines(seed=102, events=1000, users=100)
    worker = await proxied_cluster.start().ready()
    proxy.delay_s = 0.2
    await proxied_cluster.feed(lines)
    await proxied_cluster.drained()
    proxy.restore()
    await proxied_cluster.check(lines)
    assert worker.process.poll() is None


@pytest.mark.parametrize("fault", ["stall", "refuse"])
@pytest.mark.parametrize("seconds", [2, 8])
async def test_a_broker_out_of_reach_for_a_while_is_found_again(proxied_cluster, proxy, figure, fault, seconds):
    lines = random_lines(seed=103, events=2000, users=100)
    worker = await proxied_cluster.start().ready()
    await proxied_cluster.feed(lines[:1000])
    if fault == "stall":
        proxy.stall()
    else:
        await proxy.refuse()
    # The length of the outage is the point of the test: below and above a session.
    await asyncio.sleep(seconds)
    proxy.restore()
    await proxied_cluster.feed(lines[1000:])
    supervised = worker
    if worker.process.poll() is not None:
        supervised = await proxied_cluster.start().ready()
    waited = await proxied_cluster.drained()
    figure(f"out of reach for {seconds} s, drained {waited:.1f} s later; worker ended: {supervised is not worker}")
    await proxied_cluster.check(lines)
