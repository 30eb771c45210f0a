"""What recovery learns of erasures reaches the online store and the score topic too, whatever stands there.

A state folder that is restored from a backup, its SQLite store with it, may be of a time before an erasure. The
changelog says that the user is gone; the old row would be served for ever. Erased users that recovery meets are noted
on disk before the local store holds the erasure: a worker that dies in between would not meet them again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import orjson

from streams.exceptions import LocalStateError
from streams.log import log
from streams.settings import Settings, StateStore
from streams.tasks import Tasks
from streams.worker.applying.partition import Partition
from streams.worker.republishing.sweeping import Partitions, Passed, Sweep

FOLDER: Final = "recovered-erasures"
"""In the state folder: a file per partition, one user per line, gone once all of them are published."""


class RecoveredErasures:
    """Publishes erased users that recovery took from the changelog: as gone, or as they are if they came back.

    Args:
        settings: of the state folder.
        partitions: those assigned now.
        on_failure: told of an error that ends it.
    """

    def __init__(self, settings: Settings, partitions: Partitions, on_failure: Callable[[BaseException], None]) -> None:
        # A store in memory goes with the process, and the next one meets everybody again.
        self._folder = settings.state_dir / FOLDER if settings.state_store is StateStore.ROCKSDB else None
        self._partitions = partitions
        self._met: defaultdict[int, set[bytes]] = defaultdict(set)
        self._tasks = Tasks("recovered-erasures", on_failure)

    def met(self, number: int, keys: Collection[bytes]) -> None:
        """Note users of a partition who were erased at some time.

        Raises:
            LocalStateError: the state folder cannot be written.
        """
        self._met[number].update(keys)
        if self._folder is None:
            return
        path = self._path(self._folder, number)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                # A line that a worker died in is then a line of its own.
                file.write(b"\n" + b"".join(orjson.dumps(key.decode()) + b"\n" for key in keys))
        except OSError as error:
            raise LocalStateError(
                f"WHEREWITHAL_STATE_DIR: expected to write {path}, found {error.strerror}; "
                "check the free space and the rights"
            ) from error

    def hand_over(self, partition: Partition[Any]) -> None:
        """Publish those met in the recovery of a partition, which is assigned now."""
        if keys := self._met.pop(partition.number, set()) | self._noted(partition.number):
            self._tasks.begin(self._publish(partition, keys))

    async def _publish(self, partition: Partition[Any], keys: Collection[bytes]) -> None:
        removed = 0

        def count(passed: Passed) -> None:
            nonlocal removed
            removed += passed.erased

        sweep = Sweep(self._partitions, None, count, erased=True)
        if not await sweep.some(partition, [key.decode() for key in keys]):
            # The partition moved: should it come back, a local store that was kept meets them no more.
            self._met[partition.number] = self._met.get(partition.number, set()) | set(keys)
            return
        if self._folder is not None and partition.number not in self._met:
            self._path(self._folder, partition.number).unlink(missing_ok=True)
        if removed:
            log.info("erasures met in the recovery have reached the online store", keys=removed)

    def _noted(self, number: int) -> set[bytes]:
        if self._folder is None or not (path := self._path(self._folder, number)).exists():
            return set()
        keys = set()
        for line in path.read_bytes().splitlines():
            # One without its end is of a worker that died while it wrote: the local store has nothing of it either.
            with suppress(orjson.JSONDecodeError):
                keys.add(orjson.loads(line).encode())
        return keys

    @staticmethod
    def _path(folder: Path, number: int) -> Path:
        return folder / f"{number}.ndjson"
