"""The user table: Faust's assignment and recovery, with the changelog and the local store written by the batch.

States of one user are ordered by
(epoch, sequence), not by their place in the changelog: a worker that lost its partitions without noticing can
append, but never outrank, what the new owner wrote.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from typing import Any

import faust

from features.codec import erased_at, order, source_offsets
from features.exceptions import FeaturesError
from streams.exceptions import StreamsError
from streams.kafka import changelog_name
from streams.local_store import ROCKSDB_OPTIONS, LocalStore, MemoryStore, RocksStore
from streams.placement import check_state
from streams.settings import Settings, StateStore
from streams.transport import RawSchema


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
            options=dict(ROCKSDB_OPTIONS) if kind is RocksStore else {},
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
