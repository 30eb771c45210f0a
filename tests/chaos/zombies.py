"""Zombies: workers that are stopped past their session, and go on when their partitions are somebody else's."""

from __future__ import annotations

import asyncio
from typing import Any

from chaos.harness import FEED_CHUNK, POLL_S, Cluster, Worker


async def stopped_at_work(cluster: Cluster, lines: list[dict[str, Any]], zombie: Worker) -> asyncio.Task[None]:
    """Feed lines until a worker has stopped in the midst of them; return what feeds the rest.

    Until then each part comes once all before it is committed. A worker that was held up would take many parts at once,
    and might be through with all of them before it came to the passage at which it stops.
    """
    fed = 0
    while not zombie.suspended:
        assert fed < len(lines), "the worker has gone through all lines without stopping"
        await cluster.feed(lines[fed : fed + FEED_CHUNK])
        fed += FEED_CHUNK
        while not zombie.suspended and (await cluster.behind() or await cluster.items_behind()):
            await asyncio.sleep(POLL_S)
    return asyncio.create_task(cluster.feed(lines[fed:], 0.3))


async def overtaken(cluster: Cluster, lines: list[dict[str, Any]], zombie: Worker, **owner: object) -> None:
    """Feed lines until the zombie has stopped, and let it go on once an owner has taken over all that is there.

    What the zombie wrote late is put right when this returns.

    Args:
        cluster: of the test.
        lines: that are fed.
        zombie: has all partitions of its stages, and stops by itself.
        owner: settings of the one that is started then. Before, it could take the zombie's work away.
    """
    feeding = await stopped_at_work(cluster, lines, zombie)
    # All of it, so that the other one owns every partition and has written there since.
    await cluster.start("owner", **owner).ready()
    await cluster.drained(cluster.ends())
    zombie.resume()
    await feeding
    await cluster.drained()
    await cluster.corrected()
