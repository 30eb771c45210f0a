"""From a URL to an open online store."""

from __future__ import annotations

from typing import Any, Final

from features.online.address import SqliteAddress, parse
from features.online.store import OnlineStore
from features.online.user_views import USERS
from features.online.views import PROJECT, Serving

PATIENCE_S: Final = 5.0
"""Longer than any transaction of a sound neighbour, short beside a Kafka session of some tens of seconds."""


def open_online_store(
    url: str, project: str = PROJECT, *, serving: Serving[Any] = USERS, timeout_s: float = PATIENCE_S
) -> OnlineStore:
    """Open the online store a URL names, for the rows of one entity.

    SQLite creates its folder and tables when they are missing; Redis connects at the first call (`ping`).

    Args:
        url: see `features.online.address.parse`.
        project: the Feast project the rows belong to.
        serving: the entity whose rows are written (`USERS`, `ITEMS`). Entities share a store and never meet in it.
        timeout_s: longest wait for a lock (SQLite), a connection or an answer (Redis), in seconds.

    Raises:
        OnlineStoreURLError: the URL names no store this project knows.
        OnlineStoreError: the SQLite file cannot be opened, created or locked.
    """
    address = parse(url)
    # Each driver is imported only where it is used: a SQLite deployment never pays for the Redis client.
    if isinstance(address, SqliteAddress):
        from features.online.sqlite import SqliteOnlineStore

        return SqliteOnlineStore(address.path, project, serving, timeout_s=timeout_s)
    from features.online.redis import RedisOnlineStore

    return RedisOnlineStore(address, project, serving, timeout_s=timeout_s)
