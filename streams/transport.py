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
from mode.threads import ServiceThread, WorkerThread
from mode.utils.futures import notify

from streams.client_failures import report_failures
from streams.lease import Lease
from streams.ledger import Ledger
from streams.log import log
from streams.log_ends import high_watermarks
from streams.losses import NO_POSITION, Losses
from streams.settings import Settings

FETCH_WAIT_MS: Final = 10
"""Longest the broker holds an empty fetch. aiokafka keeps one fetch per broker under way, so a partition that has
just been drained waits out the fetch of the idle ones; Faust's own 1,500 ms would be its latency. An idle worker
spends 5 % of a core on asking so often, and 2 % at 50 ms."""

FULL_POLL_S: Final = 0.02
"""How soon a partition that was full is looked at again at the latest."""

IDLE_POLL_S: Final = 1.0

STOP_POLL_S: Final = 0.01
"""How soon it is noticed that the consumer's thread has ended."""

Records = Mapping[TP, list[ConsumerRecord]]

_NOTHING: Final[Records] = {}
"""What was not even asked for."""


class _DaemonThread(WorkerThread):
    """Does not keep the process from ending when it hangs."""

    def __init__(self, service: ServiceThread, **options: Any) -> None:
        super().__init__(service, **options)
        self.daemon = True

    def run(self) -> None:
        """Run the service; that its client was cancelled while it left a broker that is gone is no news."""
        with suppress(asyncio.CancelledError):
            super().run()


class BatchConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that fetches, with a fetch wait that fits a low latency."""

    Worker = _DaemonThread
    reached: Mapping[TP, int] = {}
    """Where each partition asked of was read up to when the last fetch was taken, and with it its records."""
    _thread: WorkerThread | None

    def _create_worker_consumer(self, transport: driver.Transport) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        # What a transaction of a producer upstream took back was never said.
        consumer._isolation_level = "read_committed"
        _listen_to_group(consumer, self.transport)
        report_failures(consumer, self._crash_app)
        return consumer

    async def stop(self) -> None:
        """Stop the thread, and wait for its end as other work goes on.

        Faust holds the event loop until it has ended, which a thread that waits for a broker may never do.
        """
        thread, self._thread = self._thread, None
        await super().stop()
        while thread is not None and thread.is_alive():  # noqa: ASYNC110 - nothing tells of the end of a thread
            await asyncio.sleep(STOP_POLL_S)

    def _crash_app(self, error: BaseException) -> None:
        asyncio.run_coroutine_threadsafe(self.app.crash(error), self.app.loop)

    def _stopped_set(self) -> None:
        # A thread that crashed has closed its event loop, and Faust would log that it cannot be told.
        if not self.thread_loop.is_closed():
            super()._stopped_set()

    async def getmany(self, active_partitions: set[TP] | None, timeout: float) -> Records:
        """Return the next records of these partitions, or none if a rebalance began since they were asked for."""
        generation = self.consumer.app.consumer_generation_id
        consumer = self._ensure_consumer()
        taken: tuple[Records, Mapping[TP, int]]
        taken = await self.call_thread(self._take, generation, consumer, active_partitions, timeout)
        records, self.reached = taken
        return records

    async def _take(
        self, generation: int, consumer: Any, partitions: set[TP] | None, timeout: float
    ) -> tuple[Records, Mapping[TP, int]]:
        try:
            taken: Records = await self._fetch_records(
                consumer, partitions, timeout=timeout, max_records=consumer._max_poll_records
            )
        except NO_POSITION as error:
            await self.transport.losses.reposition(consumer, error)
            return {}, {}
        if self.consumer.flow_active and self.consumer.app.consumer_generation_id == generation:
            reached = {tp: self.position_now(tp) for tp in partitions or ()}
            return taken, {tp: position for tp, position in reached.items() if position is not None}
        # The partitions were chosen under an earlier assignment. A fetch outlives a rebalance, and what it then takes
        # may lie after recovery's seek: dropped, it would never come again; delivered, it would overtake recovery.
        for tp, records in taken.items():
            if tp in consumer.assignment():
                consumer.seek(tp, records[0].offset)
        return {}, {}

    def position_now(self, tp: TP) -> int | None:
        """Return the offset that is read next, from any thread; None while the consumer does not know it."""
        subscription = self._ensure_consumer()._subscription.subscription
        assignment = None if subscription is None else subscription.assignment
        if assignment is None or tp not in assignment.tps:
            return None
        state = assignment.state_value(tp)
        return int(state.position) if state.has_valid_position else None

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
        try:
            # aiokafka tries for ever to commit for a topic that is gone.
            async with asyncio.timeout(self.transport.settings.request_timeout_s):
                done: bool = await super()._commit(offsets)
        except TimeoutError:
            log.warning("the broker did not take a commit in time, it is tried again", partitions=len(offsets))
            return False
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
        reached = self._thread.reached if records is not _NOTHING else {}
        if self.should_stop:
            return
        for tp in reached.keys() - records.keys():
            if not self._is_changelog_tp(tp) and self.app.consumer_generation_id == generation:
                self.ledgers[tp].reach(reached[tp])
        for tp, fetched in records.items():
            if not self.flow_active or self.app.consumer_generation_id != generation:
                # A rebalance began after these were taken. What is dropped here was not delivered, and recovery begins
                # with a seek in the changelogs and ends with one to the committed offsets, so it is fetched again.
                return
            if self._is_changelog_tp(tp):
                batch = fetched
            else:
                batch = self.ledgers[tp].deliver(fetched)
                self.ledgers[tp].reach(reached[tp])
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
        limit = self.transport.settings.batch_records * self.transport.settings.batches_in_flight
        full = {tp for tp in active if tp in self.ledgers and self.ledgers[tp].pending >= limit}
        if active == full:
            # A timeout, for a rebalance may take away what is waited for.
            self._room.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._room.wait(), FULL_POLL_S)
            return _NOTHING
        # `IDLE_POLL_S` would be the latency of a partition that has room again while the others are idle.
        patience = FULL_POLL_S if full else min(timeout, IDLE_POLL_S)
        records: Records = await self._getmany(active_partitions=active - full, timeout=patience)
        return records

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
        settled = self.ledgers[tp].settled if tp in self.ledgers else None
        return settled or self._committed_offset[tp] or 0

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
