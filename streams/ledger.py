"""The ledger of a partition: which batches were delivered, and how far they are acknowledged."""

from __future__ import annotations

from collections import deque

from aiokafka import ConsumerRecord

from streams.intake import weigh


class Ledger:
    """The batches of one partition that were delivered, and how far they are acknowledged.

    Attributes:
        delivered: offset of the last record delivered.
        committable: the offset to commit: all before it is acknowledged. None while nothing is.
        pending: records delivered and not committable yet, acknowledged or not.
        pending_bytes: of memory that those take, about.
        timestamp: Kafka time (ms) of the last record delivered.
    """

    __slots__ = ("_acknowledged", "_batches", "committable", "delivered", "pending", "pending_bytes", "timestamp")

    def __init__(self) -> None:
        self.delivered = -1
        self.committable: int | None = None
        self.pending = 0
        self.pending_bytes = 0
        self.timestamp = 0
        self._batches: deque[tuple[int, int, int]] = deque()
        self._acknowledged: set[int] = set()

    def deliver(self, records: list[ConsumerRecord]) -> list[ConsumerRecord]:
        """Enter a batch; records delivered before (a fetch after a seek) are left out."""
        if records[0].offset <= self.delivered:
            records = [record for record in records if record.offset > self.delivered]
            if not records:
                return []
        last = records[-1]
        self.delivered, self.timestamp = last.offset, last.timestamp
        size = weigh(records)
        self._batches.append((last.offset, len(records), size))
        self.pending += len(records)
        self.pending_bytes += size
        return records

    def acknowledge(self, offset: int) -> None:
        """Mark the batch that ends at `offset` as done, and move past all done at the head."""
        self._acknowledged.add(offset)
        while self._batches and self._batches[0][0] in self._acknowledged:
            last, records, size = self._batches.popleft()
            self._acknowledged.discard(last)
            self.pending -= records
            self.pending_bytes -= size
            self.committable = last + 1
