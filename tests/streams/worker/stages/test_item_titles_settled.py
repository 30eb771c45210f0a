"""The titles of items are settled once those of the partitions held now are, whatever was held before."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from support.patience import PATIENCE_S

from streams.worker.applying.held_partitions import HeldPartitions
from streams.worker.items.item_partition import ItemPartition
from streams.worker.stages.item_stage import ItemStage


class Items(ItemPartition):
    """A partition whose titles rest, and which settles, when the test says."""

    def __init__(self) -> None:
        self.rested = asyncio.Event()
        self.titles: Any = SimpleNamespace(rest=self.rested.wait)
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def settled(self) -> asyncio.Future[None]:
        return self.done


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_rebalance_while_titles_are_waited_for_begins_the_waiting_anew() -> None:
    held = HeldPartitions[Any]()
    stage: Any = SimpleNamespace(engine=SimpleNamespace(held=held))
    waiting = asyncio.create_task(ItemStage.titles_settled(stage))
    unread, unsettled, last = Items(), Items(), Items()
    await turns()
    held.hold({0: unread}, {})
    await turns()
    held.let_go()
    unread.rested.set()
    await turns()
    unsettled.rested.set()
    held.hold({0: unsettled}, {})
    await turns()
    held.let_go()
    unsettled.done.cancel()
    await turns()
    assert not waiting.done()
    held.hold({0: last}, {})
    last.rested.set()
    await turns()
    assert not waiting.done()
    last.done.set_result(None)
    await asyncio.wait_for(waiting, PATIENCE_S)
