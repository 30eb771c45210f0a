"""The titles of a partition's items, read behind the facts that brought them.

Neither counts nor offsets wait for a title: the state of an item says by itself that its title is unread, or was read
by another encoder. So whoever takes a partition over looks through all of its items.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from itertools import islice
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from streams.records.observer import Reading
from streams.tasks import Tasks
from streams.worker.applying.patience import patiently
from streams.worker.items.workshop import Workshop
from streams.worker.state.local_store import LocalStore

SCAN_ITEMS: Final = 200
"""Items looked at before other work gets its turn."""


class Titled(Protocol):
    """The items of a partition, as their titles need them."""

    number: int
    states: LocalStore

    def busy(self) -> set[str]:
        """Return the items with changes that the local store does not hold yet."""

    def is_unread(self, state: bytes) -> bool:
        """Return whether encoded state has a title that is still to be read."""

    def title_of(self, item_id: str) -> str | None:
        """Return the title of an item if it is still to be read; None if not."""

    def read_title(self, item_id: str, title: str, projected: NDArray[np.float64] | None) -> None:
        """Take in what was read in a title, unless the item has another one by now."""


class TitleLane:
    """Reads the titles of the items of one partition, until it is stopped.

    Args:
        partition: the items.
        workshop: what to work with.
    """

    def __init__(self, partition: Titled, workshop: Workshop) -> None:
        self._partition = partition
        self._shop = workshop
        # In order, and each once.
        self._queue: dict[str, None] = {}
        self._to_scan = True
        self._scanning = False
        self._reading = 0
        self._arrived = asyncio.Event()
        self._arrived.set()
        self._rested = asyncio.Event()
        self._waiting = workshop.metrics.waiting_item_titles.labels(str(partition.number))
        self._tasks = Tasks(f"item-titles-{partition.number}", workshop.on_failure)
        self._tasks.begin(self._run())

    def wait(self, item_id: str) -> None:
        """Have the title of an item read."""
        self._rested.clear()
        if len(self._queue) < self._shop.waiting_titles:
            self._queue[item_id] = None
        else:
            # There are too many to remember. The states tell which they are.
            self._to_scan = True
        self._count_waiting()
        self._arrived.set()

    @property
    def settled(self) -> bool:
        """Whether every title is read and taken in; what came of it may still be on its way out."""
        return not (self._queue or self._to_scan or self._scanning or self._reading)

    async def rest(self) -> None:
        """Wait until every title is read and taken in, or the lane is stopped."""
        await self._rested.wait()

    async def stop(self) -> None:
        """Read nothing more. The states remember what is unread."""
        self._tasks.cancel()
        await self._tasks.ended()
        self._rested.set()
        self._shop.on_encoder(self, False)
        self._shop.metrics.waiting_item_titles.remove(str(self._partition.number))

    async def _run(self) -> None:
        while True:
            if self.settled:
                self._rested.set()
            await self._arrived.wait()
            self._arrived.clear()
            while self._queue:
                await self._read(self._next())
            if self._to_scan:
                self._to_scan = False
                await self._scan()
                # What came meanwhile, or was found.
                self._arrived.set()

    def _next(self) -> list[str]:
        items = list(islice(self._queue, self._shop.titles.at_once))
        for item_id in items:
            del self._queue[item_id]
        return items

    async def _scan(self) -> None:
        """Read the titles of all items that are unread."""
        self._scanning = True
        try:
            # The store does not hold these in full yet.
            busy, at_once = list(self._partition.busy()), self._shop.titles.at_once
            for start in range(0, len(busy), at_once):
                await self._read(busy[start : start + at_once])
            unread: list[str] = []
            stored = self._partition.states.items(self._partition.number)
            for position, (key, state) in enumerate(stored):
                if self._partition.is_unread(state):
                    unread.append(key.decode())
                if len(unread) == at_once:
                    await self._read(unread)
                    unread = []
                if position % SCAN_ITEMS == 0:
                    await asyncio.sleep(0)
            await self._read(unread)
        finally:
            self._scanning = False

    async def _read(self, items: list[str]) -> None:
        self._reading += len(items)
        self._count_waiting()
        try:
            found = {item_id: self._partition.title_of(item_id) for item_id in items}
            titles = {item_id: title for item_id, title in found.items() if title}
            readings = await self._readings(titles) if titles else {}
            for item_id, title in titles.items():
                self._partition.read_title(item_id, title, readings[title].projected)
        finally:
            self._reading -= len(items)
        self._count_waiting()

    def _count_waiting(self) -> None:
        self._waiting.set(len(self._queue) + self._reading)

    async def _readings(self, titles: Mapping[str, str]) -> Mapping[str, Reading]:
        """Read titles, waiting out an encoder that is down."""
        distinct = list(dict.fromkeys(titles.values()))
        return await patiently(
            lambda: self._shop.titles.read(distinct),
            "titles of items",
            lambda down: self._shop.on_encoder(self, down),
            partition=self._partition.number,
        )
