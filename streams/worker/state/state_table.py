"""The table of states: Faust's assignment and recovery, with the changelog and the local store written by the batch.

States of one key are ordered by (epoch, sequence), not by their place in the changelog: a worker that lost its
partitions without noticing can append, but never outrank, what the new owner wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

import faust
from msgspec.structs import replace

from features.exceptions import FeaturesError
from streams.exceptions import StateMismatchError, StreamsError
from streams.records.many_keys import check_states
from streams.records.withheld import Withheld
from streams.settings import Settings, StateStore
from streams.worker.consuming.raw_schema import RawSchema
from streams.worker.stage_spec import StageSpec
from streams.worker.state.local_store import ROCKSDB_OPTIONS, LocalStore, MemoryStore, RocksStore


class StateTable(faust.Table):
    """The states of all keys of the assigned partitions: ids of users or items, in UTF-8.

    It registers itself with the app.

    Args:
        app: Faust's.
        settings: of the stage.
        spec: of the stage whose table it is.
        on_recovered: told how many states were taken from the changelog.
        on_erased: told of a partition and the keys taken from its changelog that were erased at some time, before the
            local store holds that.
    """

    def __init__(
        self,
        app: faust.App,
        settings: Settings,
        spec: StageSpec,
        *,
        on_recovered: Callable[[int], object],
        on_erased: Callable[[int, Collection[bytes]], object],
    ) -> None:
        self.settings = settings
        self.spec = spec
        self._on_recovered = on_recovered
        self._on_erased = on_erased
        super().__init__(
            app,
            name=spec.name,
            partitions=settings.partitions,
            key_type=bytes,
            value_type=bytes,
            schema=RawSchema(),
            store=f"{settings.state_store}://",
            use_partitioner=True,
        )
        app.tables.add(self)

    def _changelog_topic_name(self) -> str:
        return self.spec.changelog(self.settings)

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

    def take_in(self, message: Any) -> None:
        """Take in a batch of changelog records, keeping of each user the greatest (epoch, sequence).

        Raises:
            StreamsError: it could not be taken in. No later one may be: the local store would remember that it is past
                this one.
        """
        where = f"{message.topic}-{message.partition}, offset {message.offset}"
        try:
            self._recover(message.partition, message.value, message.offset)
        except StreamsError:
            raise
        except FeaturesError as error:
            raise StreamsError(f"{where}: {error}") from error
        except Exception as error:
            raise StreamsError(
                f"{where}: a batch of states could not be taken in ({type(error).__name__}: {error}); "
                "start the worker again, which takes it in anew"
            ) from error

    def _recover(self, partition: int, records: Iterable[Any], offset: int) -> None:
        name, entity = self.spec.changelog(self.settings), self.spec.entity
        kept = []
        for record in records:
            if isinstance(record.value, Withheld):
                raise StateMismatchError(
                    f"{name}-{partition}, offset {record.offset}: expected a batch of states "
                    f"that can be unpacked, found one that is {record.value.why.value}: raise "
                    "WHEREWITHAL_UNPACKED_BATCH_BYTES if it is too large"
                )
            if record.value is not None:
                kept.append((record.key, record.value))
        check_states([key for key, _ in kept], partition, self.settings.partitions, name)
        states = self.states
        progress = states.progress(partition)
        newest: dict[bytes, bytes] = {}
        erased: set[bytes] = set()
        outranked = set(progress.outranked)
        epoch, reached = 0, []
        for key, state in kept:
            rank = entity.order(state)
            epoch = max(epoch, rank[0])
            known = newest.get(key) or states.read(partition, key)
            if known is not None and rank < entity.order(known):
                outranked.add(key)
                continue
            newest[key] = state
            outranked.discard(key)
            offsets, erasure = entity.offsets_and_erasure(state)
            reached.append(offsets)
            (erased.discard if erasure is None else erased.add)(key)
        if erased:
            self._on_erased(partition, erased)
        progress = progress.onward(offset, epoch, reached)
        states.write(partition, newest, replace(progress, outranked=tuple(sorted(outranked))))
        self._on_recovered(len(newest))
