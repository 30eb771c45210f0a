"""Copying a table: its newest rows are read, written by key, and read back from where they went."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from aiokafka import TopicPartition

from streams.broker.connection import reaching
from streams.broker.errors.explaining import WRITE
from streams.broker.publisher import Publisher, Sent
from streams.broker.reading import read_from
from streams.broker.topics.log_ends import log_bounds
from streams.exceptions import StreamsError
from streams.operating.repartitioning.newest import Newest, newest_of
from streams.operating.repartitioning.table_digest import TableDigest
from streams.operating.repartitioning.tables import Table
from streams.progress import Progress
from streams.records.outgoing import Outgoing
from streams.records.placement import check_state, partition_of_key
from streams.settings import Settings

_SLICE_ROWS: Final = 2000
_SLICE_BYTES: Final = 4 << 20
"""Rows, and their bytes, that are written before the broker's answer to the slice before is awaited."""


class CopyMismatchError(StreamsError, RuntimeError):
    """What was read back is not what was copied."""


class Copied(NamedTuple):
    """A table that was copied.

    Attributes:
        what: its rows, for people.
        digest: the same at both ends.
    """

    what: str
    digest: TableDigest


class Copying:
    """Copies tables from the topics of one deployment to those of another.

    Args:
        source, target: settings of both.
        epoch: returns the least epoch of the copy, given the highest in the source.
        progress: told how far each step is.
    """

    def __init__(self, source: Settings, target: Settings, epoch: Callable[[int], int], progress: Progress) -> None:
        self._source = source
        self._target = target
        self._epoch = epoch
        self._progress = progress

    async def copy(self, table: Table) -> Copied:
        """Copy a table and compare the copy with it.

        Raises:
            CopyMismatchError: the copy holds something else.
            StateMismatchError: the source holds what this release does not read, or a user in a wrong partition.
            LocalStateError: the disk refuses.
            BrokerError: the broker cannot be used.
        """
        with newest_of(table) as rows:
            await self._read(self._source, table, rows, f"records of {table.what} read")
            written = await self._write(table, rows)
        with newest_of(table) as rows:
            await self._read(self._target, table, rows, f"records of {table.what} read back")
            found = TableDigest()
            for key, value in rows.rows():
                found.add(key, table.substance(value))
        if found != written:
            raise CopyMismatchError(
                f"expected {written.rows:,} {table.what} with the digest {written.hexdigest} in "
                f"{table.name(self._target)!r}, found {found.rows:,} with {found.hexdigest}: somebody else writes "
                "there, or users were erased since an unfinished copy; delete the topics behind this "
                "prefix or choose another, and run this again"
            )
        return Copied(table.what, written)

    async def _read(self, settings: Settings, table: Table, rows: Newest, step: str) -> None:
        name, count = table.name(settings), settings.partitions
        bounds = await log_bounds(settings, [TopicPartition(name, number) for number in range(count)])
        whole = sum(log.stable - log.start for log in bounds.values())
        done = 0
        async for records in read_from(settings, {partition: log.start for partition, log in bounds.items()}):
            for record in records:
                if record.value is not None:
                    check_state(record.key, record.partition, count, name)
            rows.take(records)
            done += len(records)
            self._progress(step, done, whole)

    async def _write(self, table: Table, rows: Newest) -> TableDigest:
        """Write every row into the partition of its key, and return the digest of all."""
        name, digest = table.name(self._target), TableDigest()
        epoch = self._epoch(rows.highest[0])
        publisher = Publisher(self._target)
        async with reaching(self._target, WRITE, name):
            await publisher.start()
            under_way: list[Sent] = []
            try:
                for piece in _slices(self._moved(table, rows, epoch, digest)):
                    before = len(under_way)
                    for number, records in piece.items():
                        under_way.append(await publisher.send(name, number, records))
                    for sent in under_way[:before]:
                        await sent.acknowledged()
                    del under_way[:before]
                    self._progress(f"{table.what} written", digest.rows, rows.count)
                for sent in under_way:
                    await sent.acknowledged()
            except BaseException:
                await publisher.abandon()
                await asyncio.gather(*(sent.settled() for sent in under_way))
                raise
            await publisher.stop()
        return digest

    def _moved(self, table: Table, rows: Newest, epoch: int, digest: TableDigest) -> Iterator[tuple[int, Outgoing]]:
        for key, value in rows.rows():
            digest.add(key, table.substance(value))
            yield partition_of_key(key, self._target.partitions), Outgoing(key, table.moved(value, epoch))


def _slices(rows: Iterator[tuple[int, Outgoing]]) -> Iterator[dict[int, list[Outgoing]]]:
    """Yield rows in pieces of bounded size, by partition."""
    piece: defaultdict[int, list[Outgoing]] = defaultdict(list)
    count = size = 0
    for number, record in rows:
        piece[number].append(record)
        count, size = count + 1, size + len(record.value or b"")
        if count >= _SLICE_ROWS or size >= _SLICE_BYTES:
            yield piece
            piece, count, size = defaultdict(list), 0, 0
    if piece:
        yield piece
