"""Writing to the broker by the batch: one acknowledgement to await for all records of a partition."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from aiokafka.errors import KafkaTimeoutError

from streams.kafka import new_producer
from streams.lease import Lease, LeaseLostError
from streams.refusals import REFUSALS, RecordRefusedError
from streams.settings import Settings
from streams.throttling import Throttle

BATCH_BYTES: Final = 1 << 20


class Outgoing(NamedTuple):
    """A record on its way out."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


class Publisher:
    """Sends records in the order of the calls, per partition.

    Args:
        settings: of the cluster.
        lease: checked before every request, first tries and repeated ones alike; whatever waits in the producer when
            it has expired fails with `LeaseLostError` and is never sent.
        throttle: waits out the broker's quotas, shared with the other clients of a worker.
    """

    def __init__(self, settings: Settings, lease: Lease | None = None, throttle: Throttle | None = None) -> None:
        self._producer = new_producer(settings, max_batch_size=BATCH_BYTES)
        self._throttle = throttle or Throttle()
        if lease is not None:
            _guard(self._producer, lease)
        # Around the guard: a lease is looked at after the wait, not before it.
        self._throttle.hold_producer(self._producer)
        # A compacted topic keeps the last record of a key, so two sends to a partition must not overtake one another
        # while they wait for room.
        self._turns: defaultdict[tuple[str, int], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def start(self) -> None:
        """Connect."""
        await self._producer.start()

    async def stop(self) -> None:
        """Send what is buffered and disconnect."""
        await self._producer.stop()

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
        size = batch.size()
        while True:
            try:
                done = await self._producer.send_batch(batch, topic, partition=partition)
            except KafkaTimeoutError:
                # The batch before it is held back by a quota: that says nothing of the broker's health.
                if not self._throttle.active:
                    raise
            else:
                return Batch(done, batch.record_count(), size)

    @staticmethod
    def _append(batch: Any, record: Outgoing) -> bool:
        taken = batch.append(key=record.key, value=record.value, timestamp=None, headers=list(record.headers))
        return taken is not None


def _guard(producer: Any, lease: Lease) -> None:
    """Have the producer's sender fail its batches, rather than send them, once the lease has expired."""
    sender = producer._sender
    send = sender._send_produce_req

    async def send_under_lease(node_id: int, batches: Mapping[Any, Any]) -> None:
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


class Sent(NamedTuple):
    """Records of one partition handed over, and not yet acknowledged."""

    topic: str
    partition: int
    batches: Sequence[Batch]

    async def acknowledged(self) -> int:
        """Wait for the broker; return the offset of the last record, -1 if there was none.

        Raises:
            KafkaError: a record was not taken within the request timeout.
            RecordRefusedError: the topic will never take a record.
        """
        last = -1
        for batch in self.batches:
            try:
                # The broker answers with the offset of a batch's first record.
                last = max(last, (await batch.done).offset + batch.records - 1)
            except REFUSALS as error:
                raise RecordRefusedError(self.topic, self.partition, batch.records, batch.size, error) from error
        return last
