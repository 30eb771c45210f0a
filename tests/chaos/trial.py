"""A trial of a fault: a cluster is fed while something is done to it, and every event is accounted for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from chaos.account import Account, lost_and_doubled
from chaos.harness import Cluster
from chaos.listener import Listener
from support.item_oracle import wanted_items
from support.oracle import wanted_features
from support.shoppers import random_lines

from streams.contract import ITEM_SIGNALS, SCORES
from streams.exceptions import BrokerError

STARTS: Final = 10
"""A worker whose broker is out of reach may end, and is started again; not for ever."""

EVENTS: Final = 10_000
AT_ONCE: Final = 100
PAUSE_S: Final = 0.3
ATTEMPTS: Final = 20
"""A producer sends again what was not acknowledged, as a shop's does; not for ever."""

Act = Callable[[], Awaitable[None]]


class Trial:
    """Feeds a cluster while something is done to it, and accounts for every event.

    Args:
        note: takes the account.
    """

    def __init__(self, note: Callable[[Account], None]) -> None:
        self._note = note

    async def of(self, done: str, cluster: Cluster, act: Act) -> None:
        """Feed a supervised worker while `act` is under way; then all of it is as if nothing had been."""
        async with asyncio.TaskGroup() as tasks:
            worker = tasks.create_task(cluster.supervise("one", STARTS))
            await self.beside(done, cluster, act)
            worker.cancel()

    async def beside(self, done: str, cluster: Cluster, act: Act) -> None:
        """Do the same with workers that are not the trial's to start."""
        lines = random_lines(seed=111, events=6 * EVENTS, users=300)
        sent = 0

        async def send(more: Callable[[], bool]) -> None:
            nonlocal sent
            while more():
                assert sent < len(lines), "what was done takes longer than there are events"
                await insist(cluster, lines[sent : sent + AT_ONCE])
                sent += AT_ONCE
                await asyncio.sleep(PAUSE_S)

        async with Listener(cluster) as listener, asyncio.TaskGroup() as tasks:
            heard = tasks.create_task(listener.all_heard())
            await send(lambda: not heard.done())
            acting = tasks.create_task(awaited(act))
            await send(lambda: not acting.done() or sent < EVENTS)
            await cluster.drained()
            silences_s = [listener.longest_silence_s(topic) for topic in (SCORES, ITEM_SIGNALS)]
        published = lines[:sent]
        wanted, items = wanted_features(published), wanted_items(published)
        outcome = await cluster.read_back(sorted(wanted))
        of_users = lost_and_doubled(wanted, outcome.features)
        of_items = lost_and_doubled(items, await cluster.served_items(sorted(items)))
        self._note(Account(done, len(published), *of_users, *of_items, *silences_s))
        await cluster.check(published)


async def awaited(act: Act) -> None:
    await act()


async def insist(cluster: Cluster, lines: list[dict[str, Any]]) -> None:
    """Publish lines, again and again until all of them are acknowledged at once: some may be there twice."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            await cluster.feed(lines)
        except BrokerError:
            if attempt == ATTEMPTS:
                raise
        else:
            return
