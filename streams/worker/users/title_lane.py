"""The titles lane of a partition: titles of clicks that are applied, read and taken in behind the clicks' own lane.

A click never waits for a text, its own title included. One whose title is not remembered is applied at once; the state
notes its offset as waiting, and the title goes through here. Reading it later takes the offset out and adds the term,
in one step. Until that is published, no offset from the click's own on is committed.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from streams.records.observer import Reading
from streams.tasks import Tasks
from streams.worker.applying.patience import patiently
from streams.worker.users.user_partition import UserPartition
from streams.worker.users.workshop import Workshop

CLICKS_AT_ONCE: Final = 1000
"""Clicks whose titles are read together at most, where many have the same."""

CLICK_BYTES: Final = 256
"""Bytes that a waiting click takes beside its title and its user's id: those of the Python objects that hold it."""


class Waiting(NamedTuple):
    """A click that is applied and whose title is still to be read.

    Attributes:
        user_id: of the partition.
        offset: of the click's record.
        timestamp: event time, ms.
        weight: what the title counts for; above 0.
        title: as it came.
        since: when it began to wait, s of the monotonic clock.
    """

    user_id: str
    offset: int
    timestamp: int
    weight: float
    title: str
    since: float

    @property
    def size(self) -> int:
        """Bytes of memory that it takes, about."""
        return CLICK_BYTES + sys.getsizeof(self.title) + sys.getsizeof(self.user_id)


class TitleLane:
    """The clicks of one partition whose titles wait, in offset order.

    Args:
        partition: the users of that partition.
        workshop: what to work with.
    """

    def __init__(self, partition: UserPartition, workshop: Workshop) -> None:
        self._partition = partition
        self._shop = workshop
        self._queue: deque[Waiting] = deque()
        self._bytes = 0
        # Of all clicks that hold back a commit: those in the queue, and those whose titles are not published yet.
        self._held: deque[int] = deque()
        self._arrived = asyncio.Event()
        self._left = asyncio.Event()
        self._pausing = False
        number = str(partition.number)
        self._waiting, self._paused = (
            gauge.labels(number) for gauge in (workshop.metrics.waiting_titles, workshop.metrics.clicks_paused)
        )
        self._pauses = workshop.metrics.clicks_pauses.labels(number)
        # Asked for by the thread that serves metrics.
        workshop.metrics.title_wait.labels(number).set_function(self._longest_wait)
        self._tasks = Tasks(f"titles-{number}", workshop.on_failure)
        self._reading = self._tasks.begin(self._run())

    def wait(self, user_id: str, offset: int, timestamp: int, weight: float, title: str) -> None:
        """Have the title of a click read; its state notes the offset as waiting. Clicks come in offset order."""
        waiting = Waiting(user_id, offset, timestamp, weight, title, time.monotonic())
        self._queue.append(waiting)
        self._bytes += waiting.size
        self._held.append(offset)
        if len(self._held) == 1:
            self._shop.hold(self._partition.number, offset)
        self._waiting.set(len(self._queue))
        self._shop.metrics.titles_waited.inc()
        self._arrived.set()

    async def room(self) -> None:
        """Wait until titles of further clicks may wait."""
        if not self._full():
            return
        self._pausing = True
        self._paused.set(1)
        self._pauses.inc()
        while self._full():
            self._left.clear()
            await self._left.wait()
        self._pausing = False
        self._paused.set(0)

    @property
    def paused(self) -> bool:
        """Whether somebody waits for room."""
        return self._pausing

    def close(self) -> None:
        """Read nothing more: what waits is delivered again, to the next owner of the partition."""
        self._reading.cancel()
        self._shop.on_encoder(self, False)

    async def drain(self) -> None:
        """Wait, after `close`, until the titles that were taken in are published."""
        await self._tasks.ended()

    def stop(self) -> None:
        """Let go of everything."""
        self._tasks.cancel()
        number = str(self._partition.number)
        metrics = self._shop.metrics
        for series in (metrics.waiting_titles, metrics.title_wait, metrics.clicks_paused):
            series.remove(number)

    def _full(self) -> bool:
        return len(self._queue) >= self._shop.waiting_titles or self._bytes >= self._shop.waiting_title_bytes

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            clicks = self._next()
            await self._take_in(clicks, await self._read(clicks))
            self._tasks.begin(self._release(self._partition.settled(), clicks[-1].offset))

    def _next(self) -> list[Waiting]:
        """Return the clicks that have waited longest, as many as have titles enough to be read together."""
        clicks: list[Waiting] = []
        titles: set[str] = set()
        for waiting in self._queue:
            titles.add(waiting.title)
            if len(titles) > self._shop.titles.at_once or len(clicks) == CLICKS_AT_ONCE:
                break
            clicks.append(waiting)
        return clicks

    async def _read(self, clicks: Sequence[Waiting]) -> Mapping[str, Reading]:
        """Read the titles of clicks, waiting out an encoder that is down."""
        titles = list(dict.fromkeys(click.title for click in clicks))
        return await patiently(
            lambda: self._shop.titles.read(titles),
            "titles",
            lambda down: self._shop.on_encoder(self, down),
            partition=self._partition.number,
        )

    async def _take_in(self, clicks: Sequence[Waiting], readings: Mapping[str, Reading]) -> None:
        for position, click in enumerate(clicks, 1):
            projected = readings[click.title].projected
            self._partition.read_title(click.user_id, click.offset, click.timestamp, click.weight, projected)
            self._queue.popleft()
            self._bytes -= click.size
            if position % self._shop.slice_records == 0:
                await asyncio.sleep(0)
        if not self._queue:
            self._arrived.clear()
        self._waiting.set(len(self._queue))
        self._left.set()

    async def _release(self, settled: asyncio.Future[None], last: int) -> None:
        """Hold the commit back no longer for the clicks up to an offset, once their titles are published."""
        await settled
        while self._held and self._held[0] <= last:
            self._held.popleft()
        self._shop.hold(self._partition.number, self._held[0] if self._held else None)

    def _longest_wait(self) -> float:
        """Return for how long the first title has waited, s."""
        try:
            return time.monotonic() - self._queue[0].since
        except IndexError:
            return 0.0
