"""How far a worker is with publishing every user again, as it says over HTTP."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec.structs import replace

PATH: Final = "/republish"
"""On a worker's metrics and health server."""

NONE: Final = "none"
RUNNING: Final = "running"
DONE: Final = "done"


class Progress(msgspec.Struct, frozen=True):
    """How far a worker is with its last request.

    Attributes:
        worker: drawn anew for every process, so that a client notices a restart.
        run: counts the requests of this process; 0 before the first.
        state: `none`, `running` or `done`.
        users, erased: whose row and score, or removal and tombstone, are out.
        items: the same, where the worker has items.
        partitions: those of users that were assigned when it began.
        finished: those of them whose users are all out; another moved to another worker meanwhile.
        of_partitions: the number of partitions of each topic.
        started_at: when it began, epoch ms.
    """

    worker: str
    run: int = 0
    state: str = NONE
    users: int = 0
    erased: int = 0
    items: int = 0
    partitions: tuple[int, ...] = ()
    finished: tuple[int, ...] = ()
    of_partitions: int = 0
    started_at: int = 0


def of_worker(users: Progress | None, items: Progress | None) -> Progress | None:
    """Return how far a worker is that has users, items, both, or as yet nothing."""
    if items is None:
        return users
    published = items.users + items.erased
    if users is None:
        return replace(items, users=0, erased=0, items=published, partitions=(), finished=(), of_partitions=0)
    return replace(users, items=published, state=RUNNING if items.state == RUNNING else users.state)
