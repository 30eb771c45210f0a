"""Rounds: the groups of all partitions that are ready at the same time are taken and turned into records together.

Scoring has a price per call and a price per user. Under a light load groups are small, and the first would be most of
what they cost. Groups of one step are also sent together: in one request to a broker, not one each.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Generic, NamedTuple

from features.entity import S
from streams.worker.publishing.emission import Emission, Emits
from streams.worker.publishing.group import Group

STEP_KEYS: Final = 512
"""A step with so many users or items takes no further group: scoring them must not hold the event loop for long."""

INTERVAL_S: Final = 0.01
"""Seconds from one round to the next at least; the steps of one round follow each other at once. Without it a worker
that is not busy answers with ever smaller groups until it is busy: a round has its price however few users are in it,
and other work of the event loop waits for it."""


class Emitted(NamedTuple, Generic[S]):
    """A group, and what is to be published of it."""

    group: Group[S]
    emission: Emission


class Rounds(Generic[S]):
    """Takes groups and turns them into records and rows.

    Args:
        emitter: computes what is published of a group.
    """

    def __init__(self, emitter: Emits[S]) -> None:
        self._emitter = emitter
        self._ready: deque[tuple[Callable[[], Group[S]], asyncio.Future[Emitted[S]]]] = deque()
        self._next_at = 0.0

    def join(self, take: Callable[[], Group[S]]) -> asyncio.Future[Emitted[S]]:
        """Have a group taken and emitted in the next round; the future is done with both.

        Taking and emitting are one step: a record speaks of the very state that goes to the changelog with it.

        Args:
            take: called once, and not at all if the future is cancelled before.
        """
        loop = asyncio.get_running_loop()
        if not self._ready:
            # Never at once: partitions that get ready in this turn of the event loop are then in the same round.
            loop.call_at(max(loop.time(), self._next_at), self._step)
        taken: asyncio.Future[Emitted[S]] = loop.create_future()
        self._ready.append((take, taken))
        return taken

    def _step(self) -> None:
        loop = asyncio.get_running_loop()
        self._next_at = loop.time() + INTERVAL_S
        joined: list[tuple[Group[S], asyncio.Future[Emitted[S]]]] = []
        keys = 0
        while self._ready and keys < STEP_KEYS:
            take, taken = self._ready.popleft()
            if taken.done():
                continue
            try:
                group = take()
            except Exception as error:  # noqa: BLE001 - handed to the committer, which fails with it
                taken.set_exception(error)
                continue
            joined.append((group, taken))
            keys += len(group.subjects)
        try:
            self._emit(joined)
        except Exception:  # noqa: BLE001 - the group that is to blame fails again, by itself
            for one in joined:
                try:
                    self._emit([one])
                except Exception as error:  # noqa: BLE001 - handed to the committer, which fails with it
                    one[1].set_exception(error)
        if self._ready:
            loop.call_soon(self._step)

    def _emit(self, joined: Sequence[tuple[Group[S], asyncio.Future[Emitted[S]]]]) -> None:
        emissions = self._emitter.emit([group.subjects for group, _ in joined])
        for (group, taken), emission in zip(joined, emissions, strict=True):
            taken.set_result(Emitted(group, emission))
