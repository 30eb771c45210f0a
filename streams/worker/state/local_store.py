"""Local stores: the states of a worker's users or items, as far as the changelog has acknowledged them.

State that a crash could leave in a local store alone would be taken for applied after the restart, and never reach the
changelog.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final, Protocol

import msgspec
from faust.stores import memory, rocksdb
from faust.types import TP
from msgspec.structs import replace
from rocksdb import WriteBatch
from rocksdb.errors import Corruption, RocksIOError

from streams.worker.state.damage import disk_error, mark_damaged, open_or_remake

_SIZE_PROPERTY: Final = b"rocksdb.estimate-live-data-size"
# Sizes per partition. RocksDB's write buffers keep every version of a state until they are full, and Faust's own sizes
# (three buffers of 64 MiB, a cache of 2 GiB) let a worker grow for minutes before its memory is flat.
ROCKSDB_OPTIONS: Final = {
    "write_buffer_size": 8 << 20,
    "max_write_buffer_number": 2,
    "block_cache_size": 32 << 20,
    "block_cache_compressed_size": 8 << 20,
    # Bits per key. A user never seen before is looked for in every file; at Faust's 3 bits a quarter of those looks is
    # made in vain.
    "bloom_filter_size": 10,
}

_PROGRESS_KEY: Final = b"__wherewithal\0progress__"


class Progress(msgspec.Struct, frozen=True):
    """How far the local store of a partition is.

    Attributes:
        offset: of the last changelog record before which it has all; -1 for none.
        epoch: the highest it has seen; 0 for none.
        applied: for each input of the stage, the greatest offset that any state has applied; -1 for none.
        kept_until: wall time (ms) up to which users whose features change by the clock are published; 0 if unknown.
        outranked: keys of users with a record in the changelog that an earlier one outranks. Compaction would keep the
            later of the two, so the owner of the partition has to write these users again.
    """

    offset: int = -1
    epoch: int = 0
    applied: tuple[int, ...] = ()
    kept_until: int = 0
    outranked: tuple[bytes, ...] = ()

    @classmethod
    def of(cls, sources: int) -> Progress:
        """Return the progress of a store that holds nothing, of a stage with so many inputs."""
        return cls(applied=(-1,) * sources)

    def onward(
        self, offset: int, epoch: int, offsets: Iterable[Iterable[int]], kept_until: int | None = None
    ) -> Progress:
        """Return the progress after states with these source offsets.

        Unlike the rest, `kept_until` may go back: it is a reading of a clock, and the last reading is the best. None
        for no reading.
        """
        applied = tuple(map(max, zip(self.applied, *offsets, strict=True)))
        kept = self.kept_until if kept_until is None else kept_until
        return Progress(max(self.offset, offset), max(self.epoch, epoch), applied, kept, self.outranked)

    def without(self, written: Container[bytes]) -> Progress:
        """Return the progress once these users are written again."""
        if not self.outranked:
            return self
        return replace(self, outranked=tuple(key for key in self.outranked if key not in written))


class LocalStore(Protocol):
    """Where the states of the users of a partition are read and written."""

    def read(self, partition: int, key: bytes) -> bytes | None:
        """Return the state of a user, or None."""

    def write(self, partition: int, states: Mapping[bytes, bytes], progress: Progress) -> None:
        """Store states whose changelog records are acknowledged, and how far the store is with them."""

    def items(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        """Yield every key of a partition with its state."""

    def progress(self, partition: int) -> Progress:
        """Return how far the store is."""

    def size(self, partition: int) -> int:
        """Return the bytes of the states of a partition (an estimate on disk)."""


class MemoryStore(memory.Store):
    """States in dictionaries, one per partition."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._partitions: defaultdict[int, dict[bytes, bytes]] = defaultdict(dict)
        self._progress: dict[int, Progress] = {}
        self._bytes: defaultdict[int, int] = defaultdict(int)

    def read(self, partition: int, key: bytes) -> bytes | None:
        """Return the state of a user, or None."""
        return self._partitions[partition].get(key)

    def write(self, partition: int, states: Mapping[bytes, bytes], progress: Progress) -> None:
        """Store states whose changelog records are acknowledged, and how far the store is with them."""
        known = self._partitions[partition]
        for key, state in states.items():
            self._bytes[partition] += len(state) - len(known.get(key, b""))
            known[key] = state
        self._progress[partition] = progress

    def items(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        """Yield every key of a partition with its state."""
        # A copy: the reader may take its time, and users are written meanwhile.
        yield from list(self._partitions[partition].items())

    def progress(self, partition: int) -> Progress:
        """Return how far the store is."""
        return self._progress.get(partition) or Progress.of(self.table.spec.entity.sources)

    def size(self, partition: int) -> int:
        """Return the bytes of the states of a partition."""
        return self._bytes[partition]

    def persisted_offset(self, tp: TP) -> int | None:
        """Return the changelog offset up to which this store is current."""
        known = self._progress.get(tp.partition)
        return None if known is None else known.offset

    def revoke(self, partitions: Iterable[int]) -> None:
        """Forget partitions that another worker owns now."""
        for partition in partitions:
            self._partitions.pop(partition, None)
            self._progress.pop(partition, None)
            self._bytes.pop(partition, None)

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Forget what was revoked."""
        self.revoke({tp.partition for tp in revoked if tp.topic in self.table.changelog_topic.topics})

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Do nothing: `on_rebalance` has dropped what is not ours."""


class RocksStore(rocksdb.Store):
    """States in one RocksDB folder per partition, beside the changelog offset they are current to."""

    def read(self, partition: int, key: bytes) -> bytes | None:
        """Return the state of a user, or None."""
        try:
            found: bytes | None = self._db_for_partition(partition).get(key)
        except Corruption as error:
            raise mark_damaged(self.partition_path(partition)) from error
        return found

    def persisted_offset(self, tp: TP) -> int | None:
        """Return the changelog offset up to which this store is current."""
        known = self.read(tp.partition, self.offset_key)
        return None if known is None else int(known)

    def write(self, partition: int, states: Mapping[bytes, bytes], progress: Progress) -> None:
        """Store states whose changelog records are acknowledged, and how far the store is, in one step."""
        batch = WriteBatch()
        for key, state in states.items():
            batch.put(key, state)
        batch.put(self.offset_key, str(progress.offset).encode())
        batch.put(_PROGRESS_KEY, msgspec.json.encode(progress))
        # The changelog is the log ahead of this store. Offset and states that a crash takes from memory are read from
        # there again; a second log would only cost a write to disk per group.
        try:
            self._db_for_partition(partition).write(batch, disable_wal=True)
        except RocksIOError as error:
            raise disk_error(self.partition_path(partition), error) from error

    def set_persisted_offset(self, tp: TP, offset: int) -> None:
        """Do nothing: an offset written apart from its states could survive a crash that they do not."""

    def items(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        """Yield every key of a partition with its state."""
        try:
            for key, state in self._visible_items(self._db_for_partition(partition)):
                if key != _PROGRESS_KEY:
                    yield key, state
        except Corruption as error:
            raise mark_damaged(self.partition_path(partition)) from error

    def progress(self, partition: int) -> Progress:
        """Return how far the store is."""
        known = self.read(partition, _PROGRESS_KEY)
        if known is None:
            return Progress.of(self.table.spec.entity.sources)
        return msgspec.json.decode(known, type=Progress)

    def _open_for_partition(self, partition: int) -> Any:
        return open_or_remake(self.partition_path(partition), partial(self._open_and_read, partition))

    def _open_and_read(self, partition: int) -> Any:
        database = super()._open_for_partition(partition)
        database.get(_PROGRESS_KEY)
        return database

    def size(self, partition: int) -> int:
        """Return the bytes of the states of a partition, as RocksDB estimates them."""
        return int(self._db_for_partition(partition).get_property(_SIZE_PROPERTY) or 0)
