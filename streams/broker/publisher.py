"""Writing to the broker in batches. All records of a send to a partition have one acknowledgement."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, Final, NamedTuple

from aiokafka.errors import KafkaError, KafkaTimeoutError, NoError, UnknownTopicOrPartitionError, for_code
from aiokafka.protocol.transaction import InitProducerIdRequest

from streams.broker.connection import new_producer
from streams.broker.lease import Lease, LeaseLostError
from streams.broker.refusals import REFUSALS, keep_in_sequence, refused
from streams.broker.throttling import Throttle
from streams.log import log
from streams.records.outgoing import Outgoing
from streams.settings import Settings

BATCH_BYTES: Final = 1 << 20

_RETRY_S: Final = 0.1

CLOSE_S: Final = 1.0
"""How long an abandoned producer may take to end, s."""

_closing: Final[set[asyncio.Future[None]]] = set()
"""The ends of abandoned producers. The event loop holds a task only weakly, and the publisher may be gone before."""


class Publisher:
    """Sends records in the order of the calls, per partition.

    The producer is idempotent where the broker allows it. A batch whose acknowledgement was lost is then not appended a
    second time, behind later batches.

    Args:
        settings: of the cluster.
        lease: checked before every request, repeated ones included. Once it has expired, records that wait in the
            producer fail with `LeaseLostError` and are never sent.
        on_written: called with (topic, partition, first offset, records) for every acknowledged batch, in the order of
            the offsets.
        throttle: waits out the broker's quotas, shared with the other clients of a worker.
    """

    def __init__(
        self,
        settings: Settings,
        lease: Lease | None = None,
        on_written: Callable[[str, int, int, int], None] | None = None,
        throttle: Throttle | None = None,
    ) -> None:
        self._settings = settings
        self._lease = lease
        self._on_written = on_written
        self._throttle = throttle or Throttle()
        self._producer: Any = None
        # A compacted topic keeps the last record of a key, so of two sends to a partition that wait for room, the first
        # must stay first.
        self._turns: defaultdict[tuple[str, int], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def start(self) -> None:
        """Connect.

        Raises:
            KafkaError: the broker cannot be reached.
        """
        producer: Any = new_producer(self._settings, max_batch_size=BATCH_BYTES, enable_idempotence=True)
        try:
            await producer.client.bootstrap()
            if not await _gives_producer_ids(producer.client, self._settings.request_timeout_s):
                await _close(producer)
                producer = new_producer(self._settings, max_batch_size=BATCH_BYTES)
                await producer.client.bootstrap()
            keep_in_sequence(producer)
            if self._lease is not None:
                _guard(producer, self._lease)
            # The throttle goes around the guard, so that the lease is checked after the wait.
            self._throttle.hold_producer(producer)
            await producer._sender.start()
        except BaseException:
            await _close(producer)
            raise
        self._producer = producer

    async def stop(self) -> None:
        """Send the buffered records and disconnect."""
        if self._producer is not None:
            await self._producer.stop()

    async def abandon(self) -> None:
        """Disconnect at once. Records that wait in the producer fail with `LeaseLostError` and are never sent."""
        producer = self._producer
        if producer is None or producer._closed:
            return
        accumulator = producer._message_accumulator
        waiting = [*chain.from_iterable(accumulator._batches.values()), *accumulator._pending_batches]
        accumulator.fail_all(LeaseLostError("the partitions were let go before this was sent"))
        # The sender would put back what is under way now, and trip over what is no longer kept.
        accumulator.reenqueue = _let_go
        # What was let go is let go on purpose: nobody is left to hear of it.
        for future in (*(batch.future for batch in waiting), *(batch._drain_waiter for batch in waiting)):
            future.add_done_callback(_heard)
        # The connections go before the sender, which would wait for answers that are of no use any more.
        await _close(producer)
        # The sender waits for requests that a quota holds back and that the lease will refuse.
        closing = asyncio.ensure_future(producer._sender.close())
        _closing.add(closing)
        closing.add_done_callback(_closing.discard)
        await asyncio.wait({closing}, timeout=CLOSE_S)

    async def send(self, topic: str, partition: int, records: Sequence[Outgoing]) -> Sent:
        """Hand records over to the producer; `Sent.acknowledged` awaits the broker."""
        batches: list[Batch] = []
        async with self._turns[topic, partition]:
            batch = self._producer.create_batch()
            for record in records:
                if not self._append(batch, record):
                    batches.append(await self._send(topic, partition, batch))
                    batch = self._producer.create_batch()
                    self._append(batch, record)
            if batch.record_count():
                batches.append(await self._send(topic, partition, batch))
        return Sent(topic, partition, batches)

    async def _send(self, topic: str, partition: int, batch: Any) -> Batch:
        count: int = batch.record_count()
        size: int = batch.size()
        future = await self._hand_over(topic, partition, batch)
        if self._on_written is not None:
            future.add_done_callback(partial(self._written, topic, partition, count))
        return Batch(future, count, size)

    async def _hand_over(self, topic: str, partition: int, batch: Any) -> asyncio.Future[Any]:
        while True:
            try:
                future: asyncio.Future[Any] = await self._producer.send_batch(batch, topic, partition=partition)
            except (KafkaTimeoutError, UnknownTopicOrPartitionError) as error:
                # A client takes a broker that is away for one without the topic. If it is away for longer than the
                # lease, the partitions are lost, which is the lesser fault.
                if self._lease is not None:
                    self._lease.check()
                # A quota holds back the batch before it, which is no sign that the broker fails.
                if not (isinstance(error, KafkaTimeoutError) and self._throttle.active):
                    raise
            else:
                return future

    def _written(self, topic: str, partition: int, count: int, future: asyncio.Future[Any]) -> None:
        if self._on_written is not None and not future.cancelled() and future.exception() is None:
            first = future.result().offset
            # A broker answers -1 if it recognises a repeated batch but has forgotten its offset.
            if first >= 0:
                self._on_written(topic, partition, first, count)

    @staticmethod
    def _append(batch: Any, record: Outgoing) -> bool:
        taken = batch.append(key=record.key, value=record.value, timestamp=None, headers=list(record.headers))
        return taken is not None


def _let_go(batch: Any) -> None:
    """Do not send a batch again."""


def _heard(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()


async def _close(producer: Any) -> None:
    """Close the connections of a producer, without waiting for its sender."""
    producer._closed = True
    await producer.client.close()


async def _gives_producer_ids(client: Any, patience_s: float) -> bool:
    """Tell whether the broker recognises repeated batches. Such a broker gives out producer ids.

    Raises:
        KafkaError: no node has answered in time.
    """
    deadline = time.monotonic() + patience_s
    while True:
        error = await _refusal_of_producer_id(client, patience_s)
        if error is None or not error.retriable:
            break
        if time.monotonic() > deadline:
            raise error
        await asyncio.sleep(_RETRY_S)
        # The next attempt may ask another node, and a node that is down is known by then.
        await client.force_metadata_update()
    if error is not None:
        log.info("the broker gives out no producer ids, sending without them", reason=type(error).__name__)
    return error is None


async def _refusal_of_producer_id(client: Any, patience_s: float) -> KafkaError | None:
    request = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=int(patience_s * 1000))
    try:
        answer = await client.send(client.get_random_node(), request)
    except KafkaError as error:
        return error
    kind = for_code(answer.error_code)
    return None if kind is NoError else kind()


def _guard(producer: Any, lease: Lease) -> None:
    """Make the producer's sender fail its batches once the lease has expired, instead of sending them."""
    sender = producer._sender
    send = sender._send_produce_req

    async def send_under_lease(node_id: int, batches: Mapping[Any, Any]) -> None:
        # Making a connection may take longer than the lease holds, so the lease is checked once the request can leave.
        await producer.client.ready(node_id)
        try:
            lease.check()
        except LeaseLostError as error:
            for batch in batches.values():
                batch.failure(exception=error)
            sender._in_flight.remove(node_id)
            sender._muted_partitions.difference_update(batches)
        else:
            await send(node_id, batches)

    sender._send_produce_req = send_under_lease


class Batch(NamedTuple):
    """A batch that was handed over: its acknowledgement, number of records and bytes."""

    done: asyncio.Future[Any]
    records: int
    size: int


class Written(NamedTuple):
    """The place of records in the log of a partition; offsets are -1 where the broker does not know them."""

    first: int
    last: int
    records: int

    @property
    def together(self) -> bool:
        """Whether it is known where they are, with nothing of anybody else among them."""
        return self.first >= 0 and self.last - self.first + 1 == self.records


class Sent(NamedTuple):
    """Records of one partition that were handed over and may not be acknowledged yet."""

    topic: str
    partition: int
    batches: Sequence[Batch]

    async def acknowledged(self) -> Written:
        """Wait for the broker's acknowledgement; return the place of the records.

        Raises:
            KafkaError: a record was not taken within the request timeout.
            RecordRefusedError: the topic will never take a record.
        """
        firsts: list[int] = []
        for batch in self.batches:
            try:
                # The broker answers with the offset of a batch's first record.
                firsts.append((await batch.done).offset)
            except REFUSALS as error:
                raise refused(self.topic, self.partition, batch.records, batch.size, error) from error
        ends = [first + batch.records for first, batch in zip(firsts, self.batches, strict=True) if first >= 0]
        records = sum(batch.records for batch in self.batches)
        return Written(firsts[0] if firsts else -1, max(ends, default=0) - 1, records)

    async def settled(self) -> None:
        """Wait until the broker has taken or refused each batch."""
        await asyncio.gather(*(batch.done for batch in self.batches), return_exceptions=True)

    @property
    def taken(self) -> int:
        """Return how many records the broker has acknowledged so far."""
        return sum(batch.records for batch in self.batches if _is_taken(batch.done))


def _is_taken(future: asyncio.Future[Any]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None
