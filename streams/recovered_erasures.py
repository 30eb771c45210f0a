"""What recovery learns of erasures reaches the online store and the score topic too, whatever stands there.

A state folder that is restored from a backup, its SQLite store with it, may be of a time before an erasure. The
changelog says that the user is gone; the row of before would be served for ever.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from streams.log import log
from streams.partition import Partition
from streams.sweeping import Partitions, Passed, Sweep
from streams.tasks import Tasks


class RecoveredErasures:
    """Publishes the erased whom recovery took from the changelog: gone, or as they are since they came back.

    Args:
        partitions: those assigned now.
        on_failure: told of an error that ends it.
    """

    def __init__(self, partitions: Partitions, on_failure: Callable[[BaseException], None]) -> None:
        self._partitions = partitions
        self._met: defaultdict[int, set[bytes]] = defaultdict(set)
        self._tasks = Tasks("recovered-erasures", on_failure)

    def met(self, number: int, key: bytes) -> None:
        """Remember a user of a partition who was erased at some time."""
        self._met[number].add(key)

    def hand_over(self, partition: Partition) -> None:
        """Publish those met in the recovery of a partition, which is assigned now."""
        if keys := self._met.pop(partition.number, None):
            self._tasks.begin(self._publish(partition, keys))

    async def _publish(self, partition: Partition, keys: set[bytes]) -> None:
        removed = 0

        def count(passed: Passed) -> None:
            nonlocal removed
            removed += passed.erased

        sweep = Sweep(self._partitions, None, count, erased=True)
        if not await sweep.some(partition, [key.decode() for key in keys]):
            # Met again when the partition comes back; the local store would not make recovery meet them.
            self._met[partition.number] |= keys
        elif removed:
            log.info("erasures met in the recovery are in the online store", users=removed)
