"""Taking in what a consumer has fetched: so many records and bytes of each partition as there is room for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final

from aiokafka import ConsumerRecord
from aiokafka.consumer.fetcher import FetchResult
from faust.types import TP

from streams.broker.unpacking import BoundedRecords
from streams.settings import Settings

RECORD_BYTES: Final = 512
"""Bytes that a record takes beside its key, value and headers: those of the Python objects that hold them."""

LARGEST_SHARE: Final = 4 << 20
"""Bytes of a changelog taken at once at most."""

BATCHES_UNREAD: Final = 8
"""Batches of changelogs that wait for the local store: enough for it never to wait for the broker."""

SMALLEST_FETCH: Final = 1 << 16
"""Bytes of a partition that are always fetched ahead, however many partitions share the buffer."""

LARGEST_FETCH: Final = 1 << 20
"""Bytes of a partition that are fetched ahead at most. A larger batch still comes: a broker returns at least one."""

LARGEST_RESPONSE: Final = 16 << 20
"""Bytes that a broker may answer with at once; aiokafka holds the answer, and what it cuts out of it."""


class Taken(list[ConsumerRecord]):
    """Records of one partition, in the order of their offsets.

    Attributes:
        size: bytes of memory that they take, about.
    """

    __slots__ = ("size",)

    def __init__(self) -> None:
        super().__init__()
        self.size = 0


def weigh(records: Iterable[ConsumerRecord]) -> int:
    """Return the bytes of memory that records take, about."""
    return sum(map(_weight, records))


def _weight(record: ConsumerRecord) -> int:
    size = RECORD_BYTES + len(record.value or b"") + len(record.key or b"")
    if record.headers:
        size += sum(len(name) + len(value or b"") for name, value in record.headers)
    return size


def share_of_partition(settings: Settings, partitions: int) -> int:
    """Return the bytes that each of the input partitions of a worker may have unacknowledged.

    A share of its own, not what the others leave: texts that wait for the encoder must not take a click's room.
    """
    return min(settings.partition_unacknowledged_bytes, settings.unacknowledged_bytes // max(1, partitions))


def share_of_changelog(settings: Settings, changelogs: int) -> int:
    """Return the bytes of each changelog to take at once, while fewer than `BATCHES_UNREAD` batches wait."""
    return min(LARGEST_SHARE, settings.unacknowledged_bytes // (changelogs + BATCHES_UNREAD))


def bound_fetches(consumer: Any, settings: Settings) -> None:
    """Have what a consumer fetches ahead of its partitions fit into the buffer of the settings."""
    share = settings.fetch_buffer_bytes // max(1, len(consumer.assignment()))
    consumer._fetcher._max_partition_fetch_bytes = min(LARGEST_FETCH, max(SMALLEST_FETCH, share))


async def take(
    fetcher: Any, room: Mapping[TP, int], most_records: int, unpacked_bytes: int, timeout: float
) -> dict[TP, Taken]:
    """Return what is fetched of these partitions, waiting for the first records.

    Args:
        fetcher: aiokafka's, of a consumer.
        room: bytes to take of each partition; of one that has any, at least one record is taken.
        most_records: of all partitions together.
        unpacked_bytes: the bound of one batch.
        timeout: seconds to wait; then nothing is returned.

    Raises:
        KafkaError: the broker refuses a partition to this consumer.
    """
    deadline = asyncio.get_running_loop().time() + timeout
    with fetcher._subscriptions.fetch_context():
        while True:
            if fetcher._subscriptions.reassignment_in_progress:
                await fetcher._subscriptions.wait_for_assignment()
            taken = _take_all(fetcher, room, most_records, unpacked_bytes)
            left = deadline - asyncio.get_running_loop().time()
            if taken or left <= 0:
                return taken
            waiter = fetcher._create_fetch_waiter()
            await asyncio.wait([waiter], timeout=left)
            if not waiter.done() or fetcher._closed:
                waiter.cancel()
                return {}
            # Whether this consumer may read at all is told here.
            waiter.result()


def _take_all(fetcher: Any, room: Mapping[TP, int], most_records: int, unpacked_bytes: int) -> dict[TP, Taken]:
    taken: dict[TP, Taken] = {}
    left = most_records
    for tp, result in list(fetcher._records.items()):
        if left <= 0:
            break
        if tp not in room:
            if not fetcher._subscriptions.is_assigned(tp):
                del fetcher._records[tp]
            continue
        if isinstance(result, FetchResult):
            records = _take_some(fetcher, tp, result, left, room[tp], unpacked_bytes)
            left -= len(records)
            if records:
                taken[tp] = records
        elif not taken:
            _forget(fetcher, tp)
            result.check_raise()
    return taken


def _take_some(fetcher: Any, tp: TP, result: Any, most_records: int, most_bytes: int, unpacked_bytes: int) -> Taken:
    """Take records of one partition, and move its position behind them."""
    taken = Taken()
    if result.check_assignment(tp) and result.has_more():
        fetched = result._partition_records
        if not isinstance(fetched._records, BoundedRecords):
            fetched._records = BoundedRecords(fetched._records, unpacked_bytes)
        size = 0
        try:
            # The iterator in it, which costs a call less for every record.
            for record in fetched._records_iterator or ():
                taken.append(record)
                size += _weight(record)
                if size >= most_bytes or len(taken) >= most_records:
                    result._update_position()
                    taken.size = size
                    return taken
        except BaseException:
            # Records read before the damage are not delivered. They are fetched again, so none is missing.
            _forget(fetcher, tp)
            raise
        result._update_position()
        result._partition_records = None
        taken.size = size
    _forget(fetcher, tp)
    return taken


def _forget(fetcher: Any, tp: TP) -> None:
    """Drop what was fetched of a partition, so that it is fetched on."""
    del fetcher._records[tp]
    fetcher._notify(fetcher._wait_consume_future)
