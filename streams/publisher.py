"""Writing to the broker by the batch: one acknowledgement to await for all records of a partition."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from streams.kafka import new_producer
from streams.lease import Lease, LeaseLostError
from streams.settings import Settings

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
    """

    def __init__(self, settings: Settings, lease: Lease | None = None) -> None:
        self._producer = new_producer(settings, max_batch_size=BATCH_BYTES)
        if lease is not None:
            _guard(self._producer, lease)
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
        batches: list[tuple[asyncio.Future[Any], int]] = []
        async with self._turns[topic, partition]:
            batch = self._producer.create_batch()
            for record in records:
                if not self._append(batch, record):
                    batches.append(await self._send(topic, partition, batch))
                    batch = self._producer.create_batch()
                    self._append(batch, record)
            if batch.record_count():
                batches.append(await self._send(topic, partition, batch))
        return Sent(batches)

    async def _send(self, topic: str, partition: int, batch: Any) -> tuple[asyncio.Future[Any], int]:
        return await self._producer.send_batch(batch, topic, partition=partition), batch.record_count()

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


class Sent(NamedTuple):
    """Records handed over, and not yet acknowledged: the future of each batch, and how many records it has."""

    batches: Sequence[tuple[asyncio.Future[Any], int]]

    async def acknowledged(self) -> int:
        """Wait for the broker; return the offset of the last record, -1 if there was none.

        Raises:
            KafkaError: a record was not taken within the request timeout.
        """
        last = -1
        for future, records in self.batches:
            # The broker answers with the offset of a batch's first record.
            last = max(last, (await future).offset + records - 1)
        return last

    async def settled(self) -> None:
        """Wait until the broker has taken or refused each batch."""
        await asyncio.gather(*(future for future, _ in self.batches), return_exceptions=True)

    @property
    def taken(self) -> int:
        """How many records the broker has acknowledged so far."""
        return sum(records for future, records in self.batches if _is_taken(future))


def _is_taken(future: asyncio.Future[Any]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None
