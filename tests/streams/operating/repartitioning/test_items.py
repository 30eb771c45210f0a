"""Another number of partitions, where items are kept: they go on as users do."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from support.deployments import copy_of, deployment, silent, worked
from support.servers.brokers import Broker
from support.shop import shop

from features.items.codec import decode, order
from features.items.state import ItemState
from features.online.reading import items_of
from streams.broker.reading import read_topic
from streams.contract import ITEM_SIGNALS, items_changelog_name
from streams.exceptions import ConfigurationError
from streams.item_settings import Stages
from streams.operating.read_back import last_records, served_items
from streams.operating.repartitioning.repartitioning import repartition
from streams.operating.repartitioning.standstill import NotStillError
from streams.records.placement import partition_of_key
from streams.settings import Settings

LINES = list(shop(12, 30, seed=5, visits_per_month=4))
FIRST, SECOND = LINES[: len(LINES) // 2], LINES[len(LINES) // 2 - 20 :]


async def served(settings: Settings) -> list[dict[str, Any]]:
    def rows() -> list[dict[str, Any]]:
        return served_items(settings, items_of(settings.online_url))

    return await asyncio.to_thread(rows)


async def states_in(settings: Settings) -> dict[bytes, tuple[int, ItemState]]:
    """The partition and the newest state of each item."""
    found: dict[bytes, tuple[int, bytes]] = {}
    async for records in read_topic(settings, items_changelog_name(settings)):
        for record in (record for record in records if record.value):
            known = found.get(record.key)
            if known is None or order(record.value) >= order(known[1]):
                found[record.key] = record.partition, record.value
    return {key: (number, decode(value)) for key, (number, value) in found.items()}


@pytest.mark.chaos
def test_items_go_on_as_if_they_had_had_their_partitions_from_the_start(broker: Broker, tmp_path: Path) -> None:
    old = deployment(broker, tmp_path, "old", 2, items=True)
    new = copy_of(old, "new", 3)
    other = deployment(broker, tmp_path, "other", 3, items=True)

    async def both() -> None:
        await worked(old, FIRST)
        signals = await last_records(old, ITEM_SIGNALS)
        done = await repartition(old, new, silent)
        copied = {table.what: table.digest.rows for table in done.tables}
        assert copied["items"] == copied["signals"] == len(signals) > 20
        assert await last_records(new, ITEM_SIGNALS) == signals
        before, after = await states_in(old), await states_in(new)
        for key, (number, state) in after.items():
            assert number == partition_of_key(key, 3)
            assert (state.places, state.offsets) == ({}, [-1])
            assert state.epoch > before[key][1].epoch
            assert state.revision == before[key][1].revision
        await worked(new, SECOND)
        await worked(other, FIRST, SECOND)
        assert await served(new) == await served(other)

    asyncio.run(both())


def test_facts_that_no_item_has_taken_in_and_items_that_are_not_named_are_refused(
    broker: Broker, tmp_path: Path
) -> None:
    old = deployment(broker, tmp_path, "old", 2, items=True)
    new = copy_of(old, "new", 3)

    async def tried() -> None:
        await worked(old, FIRST[:20])
        await worked(old.model_copy(update={"stages": Stages.USERS}), FIRST[20:40])
        with pytest.raises(NotStillError, match=r"-items' without lag, found .* most in .*item-facts"):
            await repartition(old, new, silent)
        await worked(old)
        off = {"items": False}
        with pytest.raises(ConfigurationError, match="WHEREWITHAL_ITEMS: expected true"):
            await repartition(old.model_copy(update=off), new.model_copy(update=off), silent)
        done = await repartition(old, new, silent)
        assert [table.what for table in done.tables] == ["states", "scores", "items", "signals"]

    asyncio.run(tried())
