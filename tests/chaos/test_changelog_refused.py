"""A changelog that holds what no release wrote: the worker says so in one line and ends, at every start."""

from __future__ import annotations

import pytest
from support.patience import PATIENCE_S
from support.shoppers import random_lines

from streams.broker.publisher import Publisher
from streams.contract import changelog_name, items_changelog_name
from streams.records.ndjson import partition_of
from streams.records.outgoing import Outgoing

OF_USERS = (changelog_name, b"user-1", "a user")
OF_ITEMS = (items_changelog_name, b"i1", "an item")


@pytest.mark.parametrize(
    ("name_of", "key", "whose"), [OF_USERS, pytest.param(*OF_ITEMS, marks=pytest.mark.chaos)], ids=["users", "items"]
)
async def test_a_state_that_cannot_be_read_ends_the_worker_with_its_place_in_one_line(cluster, name_of, key, whose):
    lines = random_lines(seed=75, events=300, users=20)
    worker = await cluster.start().ready()
    await cluster.feed(lines)
    await cluster.drained()
    await worker.stop()
    somebody = Publisher(cluster.settings)
    await somebody.start()
    changelog, number = name_of(cluster.settings), partition_of(key, cluster.settings.partitions, 0)
    written = await (await somebody.send(changelog, number, [Outgoing(key, b"garbage")])).acknowledged()
    await somebody.stop()
    for name in ("one", "on a new machine"):
        worker = cluster.start(name)
        assert await worker.ended(PATIENCE_S) == 1
        [line] = worker.plain_lines()
        assert line == (
            f"wherewithal worker: {changelog}-{number}, offset {written.last}: expected the state of {whose}, "
            "found only 7 bytes"
        )
        assert worker.said("ready") is None
