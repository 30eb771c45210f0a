"""Zombies: workers that are stopped past their session, and go on when their partitions are somebody else's."""

from __future__ import annotations

import asyncio
from typing import Any

from chaos.harness import Cluster, Worker


async def overtaken(cluster: Cluster, lines: list[dict[str, Any]], zombie: Worker, owner: Worker) -> None:
    """Feed lines until the zombie has stopped, and let it go on once the owner has taken over all that is there.

    What the zombie wrote late is put right when this returns.
    """
    feeding = asyncio.create_task(cluster.feed(lines, 0.3))
    await zombie.suspended()
    # All of it, so that the other one owns every partition and has written there since.
    await owner.ready()
    await cluster.drained(cluster.ends())
    zombie.resume()
    await feeding
    await cluster.drained()
    await cluster.corrected()
