"""The user table: Faust's assignment and recovery, with the changelog and the local store written by the batch.

The local store holds only what the changelog has acknowledged: state that a crash could leave in the store alone
would be taken for applied after the restart, and never reach the changelog. States of one user are ordered by
(epoch, sequence), not by their place in the changelog: a worker that lost its partitions without noticing can
append, but never outrank, what the new owner wrote.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final, Protocol

import faust
import msgspec
from faust.stores import memory, rocksdb
from faust.types import TP
from rocksdb import WriteBatch
from rocksdb.errors import Corruption, RocksIOError

from features.codec import erased_at, order, source_offsets
from features.exceptions import FeaturesError
from streams.damage import disk_error, mark_damaged, open_or_remake
from streams.exceptions import StreamsError
from streams.kafka import changelog_name
from streams.placement import check_state
from streams.settings import Settings, StateStore
from streams.transport import RawSchema

_SIZE_PROPERTY: Final = b"rocksdb.estimate-live-data-size"
# For each partition. RocksDB's write buffers keep every version of a state until they are full, and Faust's own sizes
# (three buffers of 64 MiB, a cache of 2 GiB) let a worker grow for minutes before its memory is flat.
_ROCKSDB_OPTIONS: Final = {
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
        offset: of the last changelog record it holds; -1 for none.
        epoch: the highest it has seen; 0 for none.
        applied: for each `Source`, the greatest offset that any user's state has applied; -1 for none.
        kept_until: wall time (ms) up to which users whose features change by the clock are published; 0 if unknown.
    """

    offset: int = -1
    epoch: int = 0
    applied: tuple[int, ...] = (-1, -1, -1, -1)
    kept_until: int = 0

    def onward(
        self, offset: int, epoch: int, offsets: Iterable[Iterable[int]], kept_until: int | None = None
    ) -> Progress:
        """Return the progress after states with these source offsets.

        Unlike the rest, `kept_until` may go back: it is a reading of a clock, and the last reading is the best. None
        for no reading.
        """
        applied = tuple(map(max, zip(self.applied, *offsets, strict=True)))
        kept = self.kept_until if kept_until is None else kept_until
        return Progress(max(self.offset, offset), max(self.epoch, epoch), applied, kept)


class LocalStore(Protocol):
    """Where the states of the users of a partition are read and written."""

    def read(self, partition: int, key: bytes) -> bytes | None:
        """Return the state of a user, or None."""

    def write(self, partition: int, states: Mapping[bytes, bytes], progress: Progress) -> None:
        """Store states whose changelog records are acknowledged, and how far the store is with them."""

    def items(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        """Yield every user of a partition with their state."""

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
        """Yield every user of a partition with their state."""
        # A copy: the reader may take its time, and users are written meanwhile.
        yield from list(self._partitions[partition].items())

    def progress(self, partition: int) -> Progress:
        """Return how far the store is."""
        return self._progress.get(partition, Progress())

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
        # The changelog is the log ahead of this store. What a crash takes from memory, offset and states alike, is
        # read from there again; a second log would only cost a write to disk per group.
        try:
            self._db_for_partition(partition).write(batch, disable_wal=True)
        except RocksIOError as error:
            raise disk_error(self.partition_path(partition), error) from error

    def set_persisted_offset(self, tp: TP, offset: int) -> None:
        """Do nothing: an offset written apart from its states could survive a crash that they do not."""

    def items(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        """Yield every user of a partition with their state."""
        try:
            for key, state in self._visible_items(self._db_for_partition(partition)):
                if key != _PROGRESS_KEY:
                    yield key, state
        except Corruption as error:
            raise mark_damaged(self.partition_path(partition)) from error

    def progress(self, partition: int) -> Progress:
        """Return how far the store is."""
        known = self.read(partition, _PROGRESS_KEY)
        return Progress() if known is None else msgspec.json.decode(known, type=Progress)

    def _open_for_partition(self, partition: int) -> Any:
        return open_or_remake(self.partition_path(partition), partial(self._open_and_read, partition))

    def _open_and_read(self, partition: int) -> Any:
        database = super()._open_for_partition(partition)
        database.get(_PROGRESS_KEY)
        return database

    def size(self, partition: int) -> int:
        """Return the bytes of the states of a partition, as RocksDB estimates them."""
        return int(self._db_for_partition(partition).get_property(_SIZE_PROPERTY) or 0)


class UserTable(faust.Table):
    """The states of all users of the assigned partitions, keyed by user id (UTF-8)."""

    settings: Settings
    _outranked: defaultdict[int, set[bytes]]
    on_recovered: Callable[[int], object]
    """Told how many users' states were taken from the changelog."""
    on_erased: Callable[[int, Collection[bytes]], object]
    """Told of a partition and the users taken from its changelog who were erased at some time, before the local store
    holds that."""

    @classmethod
    def of(cls, app: faust.App, settings: Settings) -> UserTable:
        """Make the table and register it with the app."""
        table = cls(
            app,
            name="users",
            partitions=settings.partitions,
            key_type=bytes,
            value_type=bytes,
            schema=RawSchema(),
            store=f"{settings.state_store}://",
            use_partitioner=True,
        )
        table.settings = settings
        table._outranked = defaultdict(set)
        app.tables.add(table)
        return table

    def _new_store_by_url(self, url: Any) -> Any:
        kind = RocksStore if self.settings.state_store is StateStore.ROCKSDB else MemoryStore
        return kind(
            url,
            self.app,
            self,
            table_name=self.name,
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
            loop=self.loop,
            options=dict(_ROCKSDB_OPTIONS) if kind is RocksStore else {},
        )

    @property
    def states(self) -> LocalStore:
        """The local store."""
        store: LocalStore = self.data
        return store

    async def on_changelog_event(self, event: Any) -> None:
        """Take a batch in at once; Faust would gather a thousand first, which is meant for single records."""
        self.apply_changelog_batch([event])
        event.value = event.message.value = None

    def outranked(self, partition: int) -> list[str]:
        """Take out the users for whom recovery met a record that an earlier one outranks.

        Compaction would keep the later of the two: whoever takes the partition over has to write these users again.
        """
        return [key.decode() for key in self._outranked.pop(partition, ())]

    def apply_changelog_batch(self, batch: Iterable[Any]) -> None:
        """Take in batches of changelog records, keeping of each user the greatest (epoch, sequence)."""
        for event in batch:
            message = event.message
            if message.value is None:
                continue
            try:
                self._recover(message.partition, message.value, message.offset)
            except (FeaturesError, StreamsError) as error:
                # Faust's recovery logs what is raised here and waits for ever for the records it skipped.
                self._crashing = asyncio.ensure_future(self.app.crash(error))
                raise

    def _recover(self, partition: int, records: Iterable[Any], offset: int) -> None:
        states = self.states
        newest: dict[bytes, bytes] = {}
        ranks = [(0, 0)]
        reached = []
        for record in records:
            if record.value is None:
                continue
            check_state(record.key, partition, self.settings.partitions, changelog_name(self.settings))
            rank = order(record.value)
            ranks.append(rank)
            known = newest.get(record.key) or states.read(partition, record.key)
            if known is None or rank >= order(known):
                newest[record.key] = record.value
                reached.append(source_offsets(record.value))
            else:
                self._outranked[partition].add(record.key)
        if erased := [key for key, state in newest.items() if erased_at(state) is not None]:
            self.on_erased(partition, erased)
        states.write(partition, newest, states.progress(partition).onward(offset, max(ranks)[0], reached))
        self.on_recovered(len(newest))
