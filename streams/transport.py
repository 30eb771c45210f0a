"""A whole fetched batch of a partition as one Faust event.

Faust pays its conductor, event and stream for every message, which is an order of magnitude more than the work
itself. Here one `ConsumerMessage` carries a list of records, its offset is that of the last one, and offsets are
committed from the head of a ledger of delivered batches: nothing is committed before it is acknowledged, however
the batches finish, and gaps in the offsets (compacted or transactional topics) need no bookkeeping at all.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

import faust
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import NoError
from aiokafka.protocol.group import HeartbeatRequest, SyncGroupRequest
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage
from mode.utils.futures import notify

from streams.client_failures import report_failures
from streams.intake import BATCHES_UNREAD, LARGEST_RESPONSE, bound_fetches, share_of_changelog, share_of_partition, take
from streams.lease import Lease
from streams.ledger import Ledger
from streams.log_ends import high_watermarks
from streams.losses import NO_POSITION, Losses
from streams.settings import Settings
from streams.throttling import Throttle

FETCH_WAIT_MS: Final = 10
"""Longest the broker holds an empty fetch. aiokafka keeps one fetch per broker under way, so a partition that has
just been drained waits out the fetch of the idle ones; Faust's own 1,500 ms would be its latency. An idle worker
spends 5 % of a core on asking so often, and 2 % at 50 ms."""

FULL_POLL_S: Final = 0.02
"""How soon a partition that was full is looked at again at the latest."""

IDLE_POLL_S: Final = 1.0

Records = Mapping[TP, list[ConsumerRecord]]


class BatchConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that fetches, with a fetch wait that fits a low latency."""

    def _create_worker_consumer(self, transport: driver.Transport) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        # What a transaction of a producer upstream took back was never said.
        consumer._isolation_level = "read_committed"
        consumer._fetch_max_bytes = LARGEST_RESPONSE
        self.transport.throttle.hold_consumer(consumer)
        _listen_to_group(consumer, self.transport)
        report_failures(consumer, self._crash_app)
        return consumer

    def _crash_app(self, error: BaseException) -> None:
        asyncio.run_coroutine_threadsafe(self.app.crash(error), self.app.loop)

    def _stopped_set(self) -> None:
        # A thread that crashed has closed its event loop, and Faust would log that it cannot be told.
        if not self.thread_loop.is_closed():
            super()._stopped_set()

    async def take(self, room: Mapping[TP, int], timeout: float) -> Records:
        """Return the next records of partitions with room for so many bytes.

        None are returned if a rebalance began since they were asked for.
        """
        generation = self.consumer.app.consumer_generation_id
        consumer = self._ensure_consumer()
        records: Records = await self.call_thread(self._take, generation, consumer, room, timeout)
        return records

    async def _take(self, generation: int, consumer: Any, room: Mapping[TP, int], timeout: float) -> Records:
        if not self.consumer.flow_active:
            return {}
        settings = self.transport.settings
        bound_fetches(consumer, settings)
        try:
            taken = await take(
                consumer._fetcher, room, settings.batch_records, settings.unpacked_batch_bytes, timeout=timeout
            )
        except NO_POSITION as error:
            await self.transport.losses.reposition(consumer, error)
            return {}
        if self.consumer.flow_active and self.consumer.app.consumer_generation_id == generation:
            return taken
        # The partitions were chosen under an earlier assignment. A fetch outlives a rebalance, and what it then takes
        # may lie after recovery's seek: dropped, it would never come again; delivered, it would overtake recovery.
        for tp, records in taken.items():
            if tp in consumer.assignment():
                consumer.seek(tp, records[0].offset)
        return {}

    async def committed_offsets(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the committed offsets of those partitions that have one."""
        consumer = self._ensure_consumer()
        found = {tp: await self.call_thread(consumer.committed, tp) for tp in tps}
        return {tp: offset for tp, offset in found.items() if offset is not None}

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commit as a member of the group, or not at all.

        A member that was thrown out would commit as nobody, which an empty group accepts: offsets of a log that is
        perhaps no more, from which the next worker would go on.
        """
        if self._ensure_consumer()._coordinator.generation < 0:
            return False
        done: bool = await super()._commit(offsets)
        return done

    async def begin_at(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit these offsets and go there; Faust seeks only to those that are not 0."""
        await self.call_thread(self._begin_at, offsets)

    async def _begin_at(self, offsets: Mapping[TopicPartition, int]) -> None:
        await self._commit(offsets)
        consumer = self._ensure_consumer()
        for tp in offsets.keys() & consumer.assignment():
            consumer.seek(tp, offsets[tp])

    def rejoin(self) -> None:
        """Leave the partitions and join the group again; may be called from any thread."""
        coordinator = self._ensure_consumer()._coordinator
        self.thread_loop.call_soon_threadsafe(coordinator.request_rejoin)


def _listen_to_group(consumer: Any, transport: BatchTransport) -> None:
    """Have every heartbeat that is answered well renew the lease, and note when partitions were asked for.

    The moment of the question counts: a process may have been stopped for as long as it likes since.
    """
    start = consumer.start

    async def start_and_listen() -> None:
        await start()
        ask = consumer._coordinator._send_req

        async def ask_and_note(request: Any) -> Any:
            asked_at = time.monotonic()
            answer = await ask(request)
            if isinstance(request, SyncGroupRequest):
                transport.synced_at = asked_at
            elif isinstance(request, HeartbeatRequest) and answer.error_code == NoError.errno:
                # One that is answered by news of a rebalance keeps the member, and not its partitions.
                transport.lease.renew(asked_at)
            return answer

        consumer._coordinator._send_req = ask_and_note

    consumer.start = start_and_listen


class BatchConsumer(driver.Consumer):
    """A Faust consumer that delivers and commits batches."""

    app: Any
    transport: BatchTransport

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.ledgers: defaultdict[TP, Ledger] = defaultdict(Ledger)
        self.progressed = asyncio.Event()
        """Set whenever a batch is acknowledged; whoever waits for progress clears it first."""
        self._room = asyncio.Event()
        """The same, for the fetching of partitions that were full."""
        self._delivering: int | None = None
        """The generation whose recovery has ended."""
        super().__init__(*args, **kwargs)

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """Yield one message per partition of the next fetch."""
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        generation = self.app.consumer_generation_id
        records = await self._next_records(timeout)
        if not records or self.should_stop:
            return
        for tp, fetched in records.items():
            if not self.flow_active or self.app.consumer_generation_id != generation:
                # A rebalance began after these were taken. What is dropped here was not delivered, and recovery begins
                # with a seek in the changelogs and ends with one to the committed offsets, so it is fetched again.
                return
            batch = fetched if self._is_changelog_tp(tp) else self.ledgers[tp].deliver(fetched)
            if batch:
                yield tp, self._batch_message(tp, batch, generation)

    def begin_delivery(self) -> None:
        """Deliver events as well as changelogs: the state is recovered and the positions are the committed ones.

        Faust makes the event partitions active earlier: what it fetched then would be read before the seek, or lie in
        queues that it clears when streams resume, and would count as delivered all the same.
        """
        self._delivering = self.app.consumer_generation_id
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
            return {}
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

    def _batch_message(self, tp: TP, batch: list[ConsumerRecord], generation: int) -> ConsumerMessage:
        last = batch[-1]
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            last.offset,
            last.timestamp / 1000,
            last.timestamp_type,
            [],
            None,
            batch,
            None,
            tp=tp,
            generation_id=generation,
        )

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Do nothing: the ledger commits what was delivered, so offsets that do not exist do not matter."""

    def ack(self, message: ConsumerMessage) -> bool:
        """Acknowledge a batch; one of an earlier generation is no longer ours to commit."""
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

    def settled_position(self, tp: TP) -> int:
        """Return the offset before which all of a partition is acknowledged."""
        settled = self.ledgers[tp].committable if tp in self.ledgers else None
        return settled or self._committed_offset[tp] or 0

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
        transport = self.transport
        transport.lease = Lease(transport.settings.session_timeout_s, transport.synced_at)
        await transport.on_assigned(generation_id, transport.lease)
        await super().on_partitions_assigned(assigned, generation_id)

    async def begin_at(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit where partitions begin of which nothing was taken in yet, and go there."""
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
        """Return the end of each log, as `streams.log_ends.high_watermarks` finds it."""
        asked = {TopicPartition(tp.topic, tp.partition): tp for tp in partitions}
        ends = await high_watermarks(self.transport.settings, list(asked))
        return {asked[partition]: end for partition, end in ends.items()}


class BatchTransport(driver.Transport):
    """The aiokafka transport with batches for messages.

    Attributes:
        losses: judges positions that a log has not.
        lease: on the partitions assigned last.
        synced_at: when they were asked for (monotonic seconds).
        on_assigned: awaited with the generation of the group and the lease, before any recovery.
    """

    Consumer = BatchConsumer
    settings: Settings
    losses: Losses
    lease: Lease
    throttle: Throttle
    synced_at: float = float("-inf")
    on_assigned: Callable[[int, Lease], Awaitable[None]]


class RawSchema(faust.Schema):
    """Passes keys and values through as they came: what they mean is decided record by record."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> Any:
        """Return the key as it is."""
        return message.key

    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:
        """Return the batch as it is."""
        return message.value
