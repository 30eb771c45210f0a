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
        partitions: those of users that were assigned when it began.
        finished: those of them whose users are all out; another moved to another worker meanwhile.
        of_partitions: the number of partitions of each topic.
        started_at: when it began, epoch ms.
        items: those whose row and record, or removal and tombstone, are out.
        items_finished: as `finished`, of items.
        of_item_partitions: as `of_partitions`, where the worker has items; else 0.
    """

    worker: str
    run: int = 0
    state: str = NONE
    users: int = 0
    erased: int = 0
    partitions: tuple[int, ...] = ()
    finished: tuple[int, ...] = ()
    of_partitions: int = 0
    started_at: int = 0
    items: int = 0
    items_finished: tuple[int, ...] = ()
    of_item_partitions: int = 0


def of_worker(users: Progress | None, items: Progress | None) -> Progress | None:
    """Return how far a worker is that has users, items, both, or as yet nothing."""
    if items is None:
        return users
    if users is None:
        users = replace(items, users=0, erased=0, partitions=(), finished=(), of_partitions=0)
    return replace(
        users,
        state=RUNNING if items.state == RUNNING else users.state,
        items=items.users + items.erased,
        items_finished=items.finished,
        of_item_partitions=items.of_partitions,
    )
