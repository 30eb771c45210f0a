"""`wherewithal worker`, which also logs when it takes over partitions and when it lets them go."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any, Final

from streams.broker.embedded import _die_with_parent
from streams.cli.common.stopping import leave
from streams.cli.main import main
from streams.log import log
from streams.worker.applying.held_partitions import HeldPartitions

HOLDS: Final = "holds partitions"
LETS_GO: Final = "lets partitions go"


def tell() -> None:
    """Log what is held, with the wall clock in seconds."""
    hold, let_go = HeldPartitions.hold, HeldPartitions.let_go

    def told_hold(held: HeldPartitions, partitions: Mapping[int, Any], decays: Mapping[int, Any]) -> None:
        hold(held, partitions, decays)
        log.info(HOLDS, numbers=sorted(partitions), at=time.time())

    def told_let_go(held: HeldPartitions) -> None:
        if held.partitions:
            log.info(LETS_GO, at=time.time())
        let_go(held)

    HeldPartitions.hold, HeldPartitions.let_go = told_hold, told_let_go  # type: ignore[method-assign]


if __name__ == "__main__":
    if sys.platform == "linux":
        _die_with_parent()
    tell()
    leave(main(["worker"]))
