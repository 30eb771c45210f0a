"""Writing to the broker by the batch: one acknowledgement to await for all records of a partition."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from aiokafka.errors import KafkaError, KafkaTimeoutError, NoError, for_code
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
"""How long a producer that is abandoned may take to end."""


class Publisher:
    """Sends records in the order of the calls, per partition.

    Where the broker offers it the producer is idempotent: a batch whose acknowledgement was lost is then not appended
    a second time, behind what was sent after it.

    Args:
        settings: of the cluster.
        lease: checked before every request, first tries and repeated ones alike; whatever waits in the producer when
            it has expired fails with `LeaseLostError` and is never sent.
        on_written: told (topic, partition, first offset, records) of every batch that the broker has acknowledged, in
            the order of the offsets.
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
        self._closing: asyncio.Future[None] | None = None
        # A compacted topic keeps the last record of a key, so two sends to a partition must not overtake one another
        # while they wait for room.
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
            # Around the guard: a lease is looked at after the wait, not before it.
            self._throttle.hold_producer(producer)
            await producer._sender.start()
        except BaseException:
            await _close(producer)
            raise
        self._producer = producer

    async def stop(self) -> None:
        """Send what is buffered and disconnect."""
        if self._producer is not None:
            await self._producer.stop()

    async def abandon(self) -> None:
        """Disconnect at once: what waits in the producer fails with `LeaseLostError` and is never sent."""
        producer = self._producer
        if producer is None or producer._closed:
            return
        producer._message_accumulator.fail_all(LeaseLostError("the partitions were let go before this was sent"))
        # Before the sender, which would wait for answers that nobody waits for any more.
        await _close(producer)
        # It waits for requests that a quota holds back, and that the lease will not let out.
        self._closing = asyncio.ensure_future(producer._sender.close())
        await asyncio.wait({self._closing}, timeout=CLOSE_S)

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
            except KafkaTimeoutError:
                # The batch before it is held back by a quota: that says nothing of the broker's health.
                if not self._throttle.active:
                    raise
            else:
                return future

    def _written(self, topic: str, partition: int, count: int, future: asyncio.Future[Any]) -> None:
        if self._on_written is not None and not future.cancelled() and future.exception() is None:
            first = future.result().offset
            # A broker that recognises a repeated batch, but has forgotten where it is, answers -1.
            if first >= 0:
                self._on_written(topic, partition, first, count)

    @staticmethod
    def _append(batch: Any, record: Outgoing) -> bool:
        taken = batch.append(key=record.key, value=record.value, timestamp=None, headers=list(record.headers))
        return taken is not None


async def _close(producer: Any) -> None:
    """Close the connections of a producer whose sender is not to be waited for."""
    producer._closed = True
    await producer.client.close()


async def _gives_producer_ids(client: Any, patience_s: float) -> bool:
    """Whether the broker tells repeated batches from new ones: it gives out ids of producers then.

    Raises:
        KafkaError: no node has said so in time.
    """
    deadline = time.monotonic() + patience_s
    while True:
        error = await _refusal_of_producer_id(client, patience_s)
        if error is None or not error.retriable:
            break
        if time.monotonic() > deadline:
            raise error
        await asyncio.sleep(_RETRY_S)
        # Another node may be asked the next time, and one that is down is known to be by then.
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
    """Have the producer's sender fail its batches, rather than send them, once the lease has expired."""
    sender = producer._sender
    send = sender._send_produce_req

    async def send_under_lease(node_id: int, batches: Mapping[Any, Any]) -> None:
        # A connection may take longer to make than the lease holds: what leaves is looked at when it can leave.
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
    """A batch handed over: its acknowledgement, how many records it has, and their bytes."""

    done: asyncio.Future[Any]
    records: int
    size: int


class Written(NamedTuple):
    """Where in the log of a partition the broker has put records; offsets are -1 where it does not know."""

    first: int
    last: int
    records: int

    def follows(self, offset: int) -> bool:
        """Return whether nothing lies between the record at that offset and these, and nothing among these."""
        return self.first == offset + 1 and self.last - offset == self.records


class Sent(NamedTuple):
    """Records of one partition handed over, and not yet acknowledged."""

    topic: str
    partition: int
    batches: Sequence[Batch]

    async def acknowledged(self) -> Written:
        """Wait for the broker; return where it has put the records.

        Raises:
            KafkaError: a record was not taken within the request timeout.
            RecordRefusedError: the topic will never take a record.
        """
        start = last = -1
        for batch in self.batches:
            try:
                first = (await batch.done).offset
            except REFUSALS as error:
                raise refused(self.topic, self.partition, batch.records, batch.size, error) from error
            # The broker answers with the offset of a batch's first record.
            last = max(last, first + batch.records - 1 if first >= 0 else -1)
            start = first if batch is self.batches[0] else start
        return Written(start, last, sum(batch.records for batch in self.batches))

    async def settled(self) -> None:
        """Wait until the broker has taken or refused each batch."""
        await asyncio.gather(*(batch.done for batch in self.batches), return_exceptions=True)

    @property
    def taken(self) -> int:
        """How many records the broker has acknowledged so far."""
        return sum(batch.records for batch in self.batches if _is_taken(batch.done))


def _is_taken(future: asyncio.Future[Any]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None
