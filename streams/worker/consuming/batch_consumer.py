"""A whole fetched batch of a partition as one Faust event.

Faust pays its conductor, event and stream for every message, which is an order of magnitude more than the work
itself. Here one `ConsumerMessage` carries a list of records, its offset is that of the last one, and offsets are
committed from the head of a ledger of delivered batches: nothing is committed before it is acknowledged, however
the batches finish. The ledger passes gaps in the offsets (compacted or transactional topics) where nothing is pending.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final, Protocol

from aiokafka import ConsumerRecord, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage
from mode.utils.futures import notify

from streams.broker.lease import Lease, no_lease
from streams.broker.throttling import Throttle
from streams.broker.topics.log_ends import high_watermarks
from streams.settings import Settings
from streams.worker.consuming.consumer_thread import FETCH_WAIT_MS, BatchConsumerThread, RebalanceListener, Records
from streams.worker.consuming.intake import BATCHES_UNREAD, share_of_changelog, share_of_partition
from streams.worker.consuming.ledger import Ledger

FULL_POLL_S: Final = 0.02
"""How soon a partition that was full is looked at again at the latest."""

IDLE_POLL_S: Final = 1.0

_NOTHING: Final[Records] = {}
"""Stands for a fetch that was not made, since every partition was full."""


class BatchConsumer(driver.Consumer):
    """A Faust consumer that delivers and commits batches.

    What Faust calls the generation, and tells one assignment from the next by, is a serial number of this consumer's
    own. The group's will not do: Apache Kafka gives a member that joins again, while nothing else has changed, the same
    partitions in the same generation.
    """

    RebalanceListener = RebalanceListener
    app: Any
    transport: BatchTransport

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.ledgers: defaultdict[TP, Ledger] = defaultdict(Ledger)
        self.progressed = asyncio.Event()
        """Set whenever a batch is acknowledged or a title published; a waiter for progress clears it first."""
        self._room = asyncio.Event()
        """Set whenever a batch is acknowledged, for the fetching of partitions that were full."""
        self._assignments = 0
        self._delivering: int | None = None
        """The assignment whose recovery has ended."""
        self._changelogs_read: dict[TP, int] = {}
        """Where each changelog was read up to under this assignment."""
        super().__init__(*args, **kwargs)

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """Yield one message per partition of the next fetch."""
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        serial = self.app.consumer_generation_id
        records = await self._next_records(timeout)
        reached = self._thread.reached if records is not _NOTHING else {}
        if self.should_stop:
            return
        for tp, position in reached.items():
            fetched = records.get(tp)
            if self.app.consumer_generation_id != serial or (fetched and not self.flow_active):
                # A rebalance began after these were taken. They are not delivered, and they are fetched again: recovery
                # begins with a seek in the changelogs and ends with one to the committed offsets.
                return
            if self._is_changelog_tp(tp):
                # The log may end in what is no record, a marker of a transaction: recovery has to hear of its end.
                if fetched or position > self._changelogs_read.get(tp, 0):
                    self._changelogs_read[tp] = position
                    yield tp, self._batch_message(tp, fetched or [], position - 1, serial)
                continue
            batch = self.ledgers[tp].deliver(fetched, fetched.size) if fetched else []
            self.ledgers[tp].reach(position)
            if batch:
                yield tp, self._batch_message(tp, batch, batch[-1].offset, serial)

    def begin_delivery(self, serial: int) -> None:
        """Deliver events of an assignment: its state is recovered, and the positions are the committed ones.

        Faust makes the event partitions active earlier: what it fetched then would be read before the seek, or lie in
        queues that it clears when streams resume, and would count as delivered all the same.
        """
        self._delivering = serial
        for tp in self.assignment():
            if not self._is_changelog_tp(tp):
                self.ledgers.pop(tp, None)
                self._read_offset.pop(tp, None)

    async def _next_records(self, timeout: float) -> Records:
        active = set(self._get_active_partitions())
        if self._delivering != self.app.consumer_generation_id:
            active = {tp for tp in active if self._is_changelog_tp(tp)}
        room = self._room_of(active)
        if not room:
            # A timeout, for a rebalance may take away what is waited for.
            self._room.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._room.wait(), FULL_POLL_S)
            return _NOTHING
        # `IDLE_POLL_S` would be the latency of a partition that has room again while the others are idle.
        patience = FULL_POLL_S if len(room) < len(active) else min(timeout, IDLE_POLL_S)
        records: Records = await self._thread.take(room, patience)
        return records

    def _room_of(self, active: set[TP]) -> dict[TP, int]:
        """Return how many bytes to take of each of these partitions, those left out that are full."""
        settings = self.transport.settings
        most_records = settings.batch_records * settings.batches_in_flight
        inputs = [tp for tp in active if not self._is_changelog_tp(tp)]
        share = share_of_partition(settings, len(inputs))
        room: dict[TP, int] = {}
        if self.app.tables.changelog_queue.qsize() < BATCHES_UNREAD:
            changelogs = active.difference(inputs)
            room = dict.fromkeys(changelogs, share_of_changelog(settings, len(changelogs)))
        for tp in inputs:
            ledger = self.ledgers.get(tp)
            if ledger is None:
                room[tp] = share
            elif ledger.pending < most_records and ledger.pending_bytes < share:
                room[tp] = share - ledger.pending_bytes
        return room

    def _batch_message(self, tp: TP, batch: list[ConsumerRecord], offset: int, serial: int) -> ConsumerMessage:
        """Return the message of a batch, whose offset is that before which all of the log was read."""
        last = batch[-1] if batch else None
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            offset,
            0.0 if last is None else last.timestamp / 1000,
            0 if last is None else last.timestamp_type,
            [],
            None,
            batch,
            None,
            tp=tp,
            generation_id=serial,
        )

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Do nothing: the ledger knows how far the log was read."""

    def ack(self, message: ConsumerMessage) -> bool:
        """Acknowledge a batch; one of an earlier assignment is no longer ours to commit."""
        if message.acked:
            return False
        message.acked = True
        self._unacked_messages.discard(message)
        ours = message.generation_id == self.app.consumer_generation_id
        if ours and message.tp in self.ledgers:
            self.ledgers[message.tp].acknowledge(message.offset)
        self.progressed.set()
        self._room.set()
        notify(self._waiting_for_ack)
        return bool(ours)

    def hold(self, serial: int, tp: TP, first: int | None) -> None:
        """Commit clicks no further than the first whose title waits; a call for an earlier assignment changes nothing.

        Args:
            serial: of the assignment.
            tp: a partition of clicks.
            first: the offset of that click; None where none waits any more.
        """
        if serial == self.app.consumer_generation_id and tp in self.ledgers:
            self.ledgers[tp].hold(first)
            self.progressed.set()

    def settled_position(self, tp: TP) -> int:
        """Return the offset before which all of a partition is acknowledged, and no title waits."""
        finished = self.ledgers[tp].finished if tp in self.ledgers else None
        return finished or self._committed_offset[tp] or 0

    def standing(self, tp: TP) -> int | None:
        """Return the offset before which nothing is left to do, also before delivery; None while it is not known."""
        settled = self.ledgers[tp].settled if tp in self.ledgers else None
        return self._thread.position_now(tp) if settled is None else settled

    @property
    def delivering(self) -> bool:
        """Whether events are delivered: the recovery of the assignment of now has ended."""
        return self._delivering is not None and self._delivering == self.app.consumer_generation_id

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return (tp for tp in list(self.ledgers) if topics is None or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: TP) -> int | None:
        return self.ledgers[tp].committable

    async def committed_offsets(self, tps: Iterable[TP]) -> dict[TopicPartition, int]:
        """Return the committed offsets of those partitions that have one."""
        asked = [TopicPartition(tp.topic, tp.partition) for tp in tps]
        found: dict[TopicPartition, int] = await self._thread.committed_offsets(asked)
        return found

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Begin an assignment, with a lease of its own: being given partitions is word from the broker."""
        # The end of an earlier recovery may have let records flow since the partitions were revoked. Records of this
        # assignment may not flow before its recovery has gone to the position of the local store.
        self.stop_flow()
        self.app.flow_control.suspend()
        self._changelogs_read.clear()
        self._assignments += 1
        serial = self.app.consumer_generation_id = self._assignments
        transport = self.transport
        transport.lease = Lease(transport.settings.session_timeout_s, transport.synced_at)
        await transport.on_assigned(serial, generation_id, transport.lease)
        await super().on_partitions_assigned(assigned, serial)

    async def begin_at(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit first positions of partitions that nothing was taken in of yet, and go there.

        Those of other members are committed too, and left to them.
        """
        if offsets:
            await self._thread.begin_at(offsets)

    def rejoin(self) -> None:
        """Leave the partitions and join the group again."""
        self._thread.rejoin()

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Forget what was delivered: the next owner starts at the committed offset."""
        await super().on_partitions_revoked(revoked)
        for tp in revoked:
            self.ledgers.pop(tp, None)

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """Return the end of each log, as `streams.broker.topics.log_ends.high_watermarks` finds it."""
        asked = {TopicPartition(tp.topic, tp.partition): tp for tp in partitions}
        ends = await high_watermarks(self.transport.settings, list(asked))
        return {asked[partition]: end for partition, end in ends.items()}


class Positions(Protocol):
    """Judges positions that a log has not."""

    async def reposition(self, consumer: Any, error: Any) -> None:
        """Give a consumer a position where it has none, or one that the log has not (any more)."""


class BatchTransport(driver.Transport):
    """The aiokafka transport with batches for messages.

    Args:
        app: Faust's.
        settings: of the worker.
        throttle: waits out the broker's quotas.
        losses: judges positions that a log has not.
        on_assigned: awaited with the serial number of the assignment, the generation of the group and the lease,
            before any recovery.
        fetch_wait_ms: longest the broker holds an empty fetch.

    Attributes:
        lease: on the partitions assigned last.
        synced_at: when they were asked for (monotonic seconds).
    """

    Consumer = BatchConsumer

    def __init__(
        self,
        app: Any,
        settings: Settings,
        throttle: Throttle,
        losses: Positions,
        on_assigned: Callable[[int, int, Lease], Awaitable[None]],
        fetch_wait_ms: int = FETCH_WAIT_MS,
    ) -> None:
        super().__init__(app.conf.broker_consumer, app)
        self.settings = settings
        self.throttle = throttle
        self.losses = losses
        self.on_assigned = on_assigned
        self.fetch_wait_ms = fetch_wait_ms
        self.lease = no_lease()
        self.synced_at = float("-inf")
