"""The user table: Faust's assignment and recovery, with the changelog and the local store written by the batch.

The local store holds only what the changelog has acknowledged: state that a crash could leave in the store alone
would be taken for applied after the restart, and never reach the changelog. States of one user are ordered by
(epoch, sequence), not by their place in the changelog: a worker that lost its partitions without noticing can
append, but never outrank, what the new owner wrote.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Protocol

import faust
from faust.stores import memory, rocksdb
from faust.types import TP
from rocksdb import WriteBatch

from features.codec import order
from features.exceptions import FeaturesError
from streams.settings import Settings, StateStore
from streams.transport import RawSchema

_SIZE_PROPERTIES: Final = (b"rocksdb.estimate-num-keys", b"rocksdb.estimate-live-data-size")
_EPOCH_KEY: Final = b"__wherewithal\0epoch__"


class LocalStore(Protocol):
    """Where the states of the users of a partition are read and written."""

    def read(self, partition: int, key: bytes) -> bytes | None:
        """Return the state of a user, or None."""

    def write(self, partition: int, states: Mapping[bytes, bytes], offset: int, epoch: int) -> None:
        """Store states whose changelog records, up to `offset`, are acknowledged."""

    def items(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        """Yield every user of a partition with their state."""

    def epoch(self, partition: int) -> int:
        """Return the highest epoch ever seen in a partition; 0 if none."""

    def size(self, partition: int) -> tuple[int, int]:
        """Return how many users a partition has, and the bytes of their states (estimates on disk)."""


class MemoryStore(memory.Store):
    """States in dictionaries, one per partition."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._partitions: defaultdict[int, dict[bytes, bytes]] = defaultdict(dict)
        self._offsets: dict[int, int] = {}
        self._epochs: defaultdict[int, int] = defaultdict(int)
        self._bytes: defaultdict[int, int] = defaultdict(int)

    def read(self, partition: int, key: bytes) -> bytes | None:
        """Return the state of a user, or None."""
        return self._partitions[partition].get(key)

    def write(self, partition: int, states: Mapping[bytes, bytes], offset: int, epoch: int) -> None:
        """Store states whose changelog records, up to `offset`, are acknowledged."""
        known = self._partitions[partition]
        for key, state in states.items():
            self._bytes[partition] += len(state) - len(known.get(key, b""))
            known[key] = state
        self._offsets[partition] = max(offset, self._offsets.get(partition, -1))
        self._epochs[partition] = max(epoch, self._epochs[partition])

    def items(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        """Yield every user of a partition with their state."""
        yield from self._partitions[partition].items()

    def epoch(self, partition: int) -> int:
        """Return the highest epoch ever seen in a partition; 0 if none."""
        return self._epochs[partition]

    def size(self, partition: int) -> tuple[int, int]:
        """Return how many users a partition has, and the bytes of their states."""
        return len(self._partitions[partition]), self._bytes[partition]

    def persisted_offset(self, tp: TP) -> int | None:
        """Return the changelog offset up to which this store is current."""
        return self._offsets.get(tp.partition)

    def revoke(self, partitions: Iterable[int]) -> None:
        """Forget partitions that another worker owns now."""
        for partition in partitions:
            self._partitions.pop(partition, None)
            self._offsets.pop(partition, None)
            self._epochs.pop(partition, None)
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
        found: bytes | None = self._db_for_partition(partition).get(key)
        return found

    def write(self, partition: int, states: Mapping[bytes, bytes], offset: int, epoch: int) -> None:
        """Store states whose changelog records, up to `offset`, are acknowledged, in one step."""
        batch = WriteBatch()
        for key, state in states.items():
            batch.put(key, state)
        batch.put(self.offset_key, str(offset).encode())
        batch.put(_EPOCH_KEY, str(epoch).encode())
        self._db_for_partition(partition).write(batch)

    def items(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        """Yield every user of a partition with their state."""
        for key, state in self._visible_items(self._db_for_partition(partition)):
            if key != _EPOCH_KEY:
                yield key, state

    def epoch(self, partition: int) -> int:
        """Return the highest epoch ever seen in a partition; 0 if none."""
        return int(self._db_for_partition(partition).get(_EPOCH_KEY) or 0)

    def size(self, partition: int) -> tuple[int, int]:
        """Return how many users a partition has, and the bytes of their states, as RocksDB estimates them."""
        db = self._db_for_partition(partition)
        users, size = (int(db.get_property(name) or 0) for name in _SIZE_PROPERTIES)
        return users, size


class UserTable(faust.Table):
    """The states of all users of the assigned partitions, keyed by user id (UTF-8)."""

    settings: Settings
    unreadable: FeaturesError | None = None
    """Why recovery gave up, if it did."""

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
            options={},
        )

    @property
    def states(self) -> LocalStore:
        """The local store."""
        store: LocalStore = self.data
        return store

    def apply_changelog_batch(self, batch: Iterable[Any]) -> None:
        """Take in batches of changelog records, keeping of each user the greatest (epoch, sequence)."""
        for event in batch:
            message = event.message
            try:
                self._recover(message.partition, message.value, message.offset)
            except FeaturesError as error:
                # Faust's recovery logs what is raised here and waits for ever for the records it skipped.
                self.unreadable = error
                self._unreadable_reported = asyncio.ensure_future(self.app.crash(error))
                raise

    def _recover(self, partition: int, records: Iterable[Any], offset: int) -> None:
        states = self.states
        newest: dict[bytes, bytes] = {}
        highest = states.epoch(partition)
        for record in records:
            if record.value is None:
                continue
            rank = order(record.value)
            highest = max(highest, rank[0])
            known = newest.get(record.key) or states.read(partition, record.key)
            if known is None or rank >= order(known):
                newest[record.key] = record.value
        states.write(partition, newest, offset, highest)
