"""Offsets set back to the beginning: no state changes, and every user and item is published again."""

from __future__ import annotations

import asyncio

import pytest
from support.item_oracle import read_lines
from support.patience import PATIENCE_S
from support.shoppers import random_lines

pytestmark = pytest.mark.chaos


async def test_a_replay_from_offset_zero_changes_no_feature_and_publishes_everybody_again(cluster):
    lines = random_lines(seed=81, events=1500, users=80)
    first = await cluster.start(chaos_rewind=1).ready()
    await cluster.feed(lines)
    async with asyncio.timeout(PATIENCE_S):
        while await first.metric("wherewithal_events_total") < len(lines):
            await asyncio.sleep(0.05)
        while await first.metric("wherewithal_facts_applied_total") < read_lines(lines).facts:
            await asyncio.sleep(0.5)
    before = await cluster.check(lines)
    await first.stop()
    assert await cluster.behind() == len(lines)
    assert await cluster.items_behind() > 0
    worker = await cluster.start().ready()
    await cluster.drained()
    after = await cluster.check(lines)
    _, metrics = await worker.get("/metrics")
    assert 'outcome="redelivered"' in metrics
    assert 'outcome="applied"' not in metrics
    assert await worker.metric("wherewithal_facts_applied_total") == 0
    assert await worker.metric("wherewithal_facts_repeated_total") == read_lines(lines).facts
    assert after.features == before.features
    for user in before.features:
        assert after.scores[user]["emitted_at"] > before.scores[user]["emitted_at"]
