"""How far a worker is with publishing every user again, as it says over HTTP."""

from __future__ import annotations

from typing import Final

import msgspec

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
        partitions: those assigned when it began.
        finished: those of them whose users are all out; another moved to another worker meanwhile.
        of_partitions: the number of partitions of each topic.
        started_at: when it began, epoch ms.
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
