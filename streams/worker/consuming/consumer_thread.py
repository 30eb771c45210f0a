"""The thread that fetches for a worker's consumer, is its member of the group, and commits for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, NoError
from aiokafka.protocol.group import HeartbeatRequest, SyncGroupRequest
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode.threads import ServiceThread, WorkerThread

from streams.broker.errors.client_failures import report_failures
from streams.broker.login.connecting import Patience
from streams.exceptions import BrokerError
from streams.log import log
from streams.membership_settings import LeaveGroup, instance_id
from streams.worker.consuming.intake import LARGEST_RESPONSE, Taken, bound_fetches, take
from streams.worker.consuming.leaving import leave_from_the_first
from streams.worker.consuming.losses import NO_POSITION
from streams.worker.consuming.static_member import StaticMember

FETCH_WAIT_MS: Final = 10
"""Longest the broker holds an empty fetch, where nothing else is said. aiokafka keeps one fetch per broker under way,
so a partition that has just been drained waits out the fetch of the idle ones; Faust's own 1,500 ms would be its
latency. An idle worker spends 5 % of a core on asking so often, and 2 % at 50 ms."""

STOP_POLL_S: Final = 0.01
"""How soon it is noticed that the thread has ended."""

Records = Mapping[TP, Taken]


class _DaemonThread(WorkerThread):
    """Does not keep the process from ending when it hangs."""

    def __init__(self, service: ServiceThread, **options: Any) -> None:
        super().__init__(service, **options)
        self.daemon = True

    def run(self) -> None:
        """Run the service; that its client was cancelled while it left a broker that is gone is no news."""
        with suppress(asyncio.CancelledError):
            super().run()


class RebalanceListener(driver.ConsumerRebalanceListener):
    """Passes the generation of the group on with an assignment, and leaves it to the consumer to begin the assignment.

    Faust would take the generation for the name of the assignment at once, on the thread that fetches.
    """

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Have the consumer begin an assignment, in its own thread."""
        generation = self._thread._ensure_consumer()._coordinator.generation
        await self._thread.on_partitions_assigned(driver.ensure_TPset(assigned), generation)


class BatchConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that fetches, with a fetch wait that fits a low latency."""

    Worker = _DaemonThread
    reached: Mapping[TP, int] = {}
    """Where each partition asked of was read up to when the last fetch was taken, and with it its records."""
    _thread: WorkerThread | None

    def _create_worker_consumer(self, transport: driver.Transport) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = self.transport.fetch_wait_ms
        # Records of a transaction that a producer upstream has aborted are not delivered.
        consumer._isolation_level = "read_committed"
        consumer._fetch_max_bytes = LARGEST_RESPONSE
        settings, client = self.transport.settings, consumer._client
        client._request_timeout_ms = Patience.of(client._request_timeout_ms / 1000, settings.connect_timeout_s)
        self.transport.throttle.hold_consumer(consumer)
        _listen_to_group(consumer, self.transport, self._crash_app)
        report_failures(consumer, self._crash_app)
        return consumer

    async def on_thread_stop(self) -> None:
        """Leave the group, and stop; a member with an instance id leaves only if it is not to come back."""
        if self._consumer is not None and self.transport.settings.leave_group is LeaveGroup.ALWAYS:
            # aiokafka would keep the place. Leaving by the id of the member works for any member.
            self._consumer._coordinator._group_instance_id = None
        await super().on_thread_stop()

    def _crash_app(self, error: BaseException) -> None:
        asyncio.run_coroutine_threadsafe(self.app.crash(error), self.app.loop)

    async def stop(self) -> None:
        """Stop the thread, and wait for its end as other work goes on.

        Faust holds the event loop until it has ended, which a thread that waits for a broker may never do.
        """
        thread, self._thread = self._thread, None
        await super().stop()
        while thread is not None and thread.is_alive():  # noqa: ASYNC110 - nothing tells of the end of a thread
            await asyncio.sleep(STOP_POLL_S)

    def _stopped_set(self) -> None:
        # A thread that crashed has closed its event loop, and Faust would log that it cannot be told.
        if not self.thread_loop.is_closed():
            super()._stopped_set()

    async def commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commit offsets; return whether they are. A thread that crashed is no member of the group any more."""
        # Faust commits once more as it stops, whatever it stops for.
        return not self.thread_loop.is_closed() and await super().commit(offsets)

    async def take(self, room: Mapping[TP, int], timeout: float) -> Records:
        """Return the next records of partitions with room for so many bytes.

        None are returned if a rebalance began since they were asked for.
        """
        serial = self.consumer.app.consumer_generation_id
        consumer = self._ensure_consumer()
        taken: tuple[Records, Mapping[TP, int]]
        taken = await self.call_thread(self._take, serial, consumer, room, timeout)
        records, self.reached = taken
        return records

    async def _take(
        self, serial: int, consumer: Any, room: Mapping[TP, int], timeout: float
    ) -> tuple[Records, Mapping[TP, int]]:
        if not self.consumer.flow_active:
            return {}, {}
        settings = self.transport.settings
        bound_fetches(consumer, settings)
        try:
            taken: Records = await take(
                consumer._fetcher, room, settings.batch_records, settings.unpacked_batch_bytes, timeout=timeout
            )
        except NO_POSITION as error:
            await self.transport.losses.reposition(consumer, error)
            return {}, {}
        if self.consumer.flow_active and self.consumer.app.consumer_generation_id == serial:
            reached = {tp: self.position_now(tp) for tp in room}
            return taken, {tp: position for tp, position in reached.items() if position is not None}
        # The partitions were chosen under an earlier assignment. A fetch outlives a rebalance, and what it then takes
        # may lie after recovery's seek: dropped, it would never come again; delivered, it would overtake recovery.
        for tp, records in taken.items():
            if tp in consumer.assignment():
                consumer.seek(tp, records[0].offset)
        return {}, {}

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Go to the committed offsets and return them; aiokafka would stay where it is of one that is 0."""
        committed: Mapping[TP, int] = await self.call_thread(self._seek_to_committed)
        return committed

    async def _seek_to_committed(self) -> Mapping[TP, int]:
        consumer = self._ensure_consumer()
        if not consumer.assignment():
            # A rebalance took the last partition away, and aiokafka would take that for a fault of the caller.
            return {}
        committed: Mapping[TP, int] = await consumer.seek_to_committed()
        for tp in committed.keys() & consumer.assignment():
            if committed[tp] == 0:
                consumer.seek(tp, 0)
        return committed

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
        """Commit these offsets, and go there where a partition is assigned; Faust seeks to none that is 0."""
        await self.call_thread(self._begin_at, offsets)

    async def _begin_at(self, offsets: Mapping[TopicPartition, int]) -> None:
        if offsets and not await self._commit_first(offsets):
            if self._ensure_consumer()._coordinator.generation < 0:
                raise IllegalStateError("this member was thrown out of its group before it committed")
            raise BrokerError(
                f"expected the broker to take the first offsets of {len(offsets)} partitions, found that it did not: "
                "check its log, then start the worker again"
            )
        consumer = self._ensure_consumer()
        for tp in offsets.keys() & consumer.assignment():
            consumer.seek(tp, offsets[tp])

    async def _commit_first(self, offsets: Mapping[TopicPartition, int]) -> bool:
        """Commit in one request, also for partitions of other members, which Faust would leave out."""
        consumer = self._ensure_consumer()
        subscription = consumer._subscription.subscription
        if consumer._coordinator.generation < 0 or subscription is None or subscription.assignment is None:
            return False
        first = {tp: OffsetAndMetadata(offset, "") for tp, offset in offsets.items()}
        try:
            async with asyncio.timeout(self.transport.settings.request_timeout_s):
                await consumer._coordinator.commit_offsets(subscription.assignment, first)
        except CommitFailedError as error:
            raise IllegalStateError("a rebalance began before this member committed") from error
        except TimeoutError:
            return False
        return True

    def rejoin(self) -> None:
        """Leave the partitions and join the group again; may be called from any thread."""
        coordinator = self._ensure_consumer()._coordinator
        self.thread_loop.call_soon_threadsafe(coordinator.request_rejoin)


def _listen_to_group(consumer: Any, transport: Any, crash: Callable[[BaseException], None]) -> None:
    """Have every heartbeat that is answered well renew the lease, and note when partitions were asked for.

    One that tells that another worker has the place ends the lease, and `crash` is told.

    The moment of the question counts: a process may have been stopped for as long as it likes since.
    """
    start = consumer.start
    instance = instance_id(transport.settings)

    def lost(error: BaseException) -> None:
        transport.lease.end()
        crash(error)

    async def start_and_listen() -> None:
        await start()
        coordinator = consumer._coordinator
        ask = coordinator._send_req if instance is None else StaticMember(instance, coordinator, lost).ask

        async def ask_and_note(request: Any) -> Any:
            asked_at = time.monotonic()
            answer = await ask(request)
            if isinstance(request, SyncGroupRequest):
                transport.synced_at = asked_at
            elif isinstance(request, HeartbeatRequest) and answer.error_code == NoError.errno:
                # One that is answered by news of a rebalance keeps the member, and not its partitions.
                transport.lease.renew(asked_at)
            return answer

        coordinator._send_req = ask_and_note
        commit = coordinator._do_commit_offsets

        async def commit_and_hear(assignment: Any, offsets: Any) -> None:
            # aiokafka shields it in a task of its own, which goes on when a commit is given up, and fails unheard.
            if (task := asyncio.current_task()) is not None:
                task.add_done_callback(_heard)
            await commit(assignment, offsets)

        coordinator._do_commit_offsets = commit_and_hear
        leave_from_the_first(coordinator)

    consumer.start = start_and_listen


def _heard(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()
