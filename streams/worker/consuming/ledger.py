"""The ledger of a partition: which batches were delivered, and how far they are acknowledged."""

from __future__ import annotations

from collections import deque

from aiokafka import ConsumerRecord

from streams.worker.consuming.intake import weigh


class Ledger:
    """The batches of one partition that were delivered, and how far they are acknowledged.

    A click whose title is still to be read is acknowledged all the same, and takes no room here. It only holds back
    what may be committed.

    Attributes:
        delivered: offset of the last record delivered.
        passed: all before this offset is acknowledged or was no record. None while there is no such.
        pending: records delivered and not passed yet, acknowledged or not.
        pending_bytes: of memory that those take, about.
        timestamp: Kafka time (ms) of the last record delivered.
    """

    __slots__ = (
        "_acknowledged",
        "_batches",
        "_begun",
        "_first_held",
        "_reached",
        "delivered",
        "passed",
        "pending",
        "pending_bytes",
        "timestamp",
    )

    def __init__(self) -> None:
        self.delivered = -1
        self.passed: int | None = None
        self.pending = 0
        self.pending_bytes = 0
        self.timestamp = 0
        self._batches: deque[tuple[int, int, int]] = deque()
        self._acknowledged: set[int] = set()
        self._begun: int | None = None
        self._reached: int | None = None
        self._first_held: int | None = None

    @property
    def settled(self) -> int | None:
        """The offset before which nothing is left to do but reading titles; None while that is not known."""
        return self._begun if self.passed is None else self.passed

    @property
    def committable(self) -> int | None:
        """The offset to commit: nothing is left to do before it, titles included. None while there is no such."""
        if self.passed is None or self._first_held is None:
            return self.passed
        return min(self.passed, self._first_held)

    @property
    def finished(self) -> int | None:
        """The offset before which nothing is left to do, titles included; None while that is not known."""
        return self._begun if self.committable is None else self.committable

    def hold(self, first: int | None) -> None:
        """Commit no further than this offset, at which a click's title waits; None where none waits any more."""
        self._first_held = first

    def reach(self, position: int) -> None:
        """Take note of how far the log was read, beyond the last record delivered by now.

        The offsets between are no records: markers of transactions, records that a transaction took back, and records
        that are compacted away or deleted.
        """
        if self._begun is None:
            self._begun = position
        self._reached = position
        self._pass_gap()

    def _pass_gap(self) -> None:
        settled = self.settled
        if not self._batches and self._reached is not None and settled is not None and self._reached > settled:
            self.passed = self._reached

    def deliver(self, records: list[ConsumerRecord], size: int | None = None) -> list[ConsumerRecord]:
        """Enter a batch.

        Args:
            records: at least one.
            size: bytes of memory that they take, about; None to have them weighed here.

        Returns:
            The records without those that were delivered before (a fetch after a seek).
        """
        if records[0].offset <= self.delivered:
            records = [record for record in records if record.offset > self.delivered]
            size = None
            if not records:
                return []
        if self.passed is None and not self._batches:
            self._begun = records[0].offset if self._begun is None else min(self._begun, records[0].offset)
        last = records[-1]
        self.delivered, self.timestamp = last.offset, last.timestamp
        if size is None:
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
            self.passed = last + 1
        self._pass_gap()
