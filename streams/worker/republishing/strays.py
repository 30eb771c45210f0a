"""Records that somebody else wrote into the logs of a partition's owner, and the keys that are written again for them.

A worker that lost its partitions without noticing may append after the new owner did: a request can wait in a network
for as long as it likes. Recovery and online store compare fences and are not misled, but compaction keeps the last
record of a key. So an owner counts what it wrote, takes every offset beyond for somebody else's, and writes the keys
that it finds there once more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from streams.broker.lease import LeaseLostError
from streams.broker.reading import read_from
from streams.broker.topics.log_ends import LogEnds
from streams.exceptions import BrokerError
from streams.log import log
from streams.settings import Settings
from streams.tasks import Tasks
from streams.telemetry.metrics import Metrics
from streams.worker.applying.partition import Partition

LOOK_S: Final = 10.0
"""How often the ends of quiet logs are asked for; of others every acknowledgement tells."""


class Strays:
    """Watches the logs of the partitions of one assignment.

    Args:
        settings: of the cluster.
        changelog: name of the topic that only its owner recovers from.
        partitions: those of the assignment.
        metrics: count the records.
        on_failure: told of an error, and of an owner that outranks this one.
    """

    def __init__(
        self,
        settings: Settings,
        changelog: str,
        partitions: Mapping[int, Partition[Any]],
        metrics: Metrics,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._settings = settings
        self._changelog = changelog
        self._partitions = partitions
        self._metrics = metrics
        self._tasks = Tasks("strays", on_failure)
        self._ends: dict[TopicPartition, int] = {}

    def watch(self, ends: Mapping[TopicPartition, int]) -> None:
        """Take what lies before these offsets for known, and look at all beyond them until stopped."""
        self._ends.update(ends)
        self._tasks.begin(self._run())

    def stop(self) -> None:
        """Look no more."""
        self._tasks.cancel()

    def written(self, topic: str, partition: int, first: int, records: int) -> None:
        """Take note of what this worker wrote there: `records` from the offset `first` on."""
        tp = TopicPartition(topic, partition)
        known = self._ends.get(tp)
        if known is None:
            return
        self._ends[tp] = max(known, first + records)
        if first > known:
            self._tasks.begin(self._answer(tp, known, first))

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except (BrokerError, KafkaError):
                # Health and metrics tell of a broker that does not answer; there will be another look.
                continue

    async def look(self) -> None:
        """Ask where the logs end to which nothing is being written now.

        Raises:
            BrokerError: the broker does not say.
        """
        async with LogEnds(self._settings) as logs:
            ends = await logs.of(list(self._ends))
        for tp, end in ends.items():
            partition = self._partitions.get(tp.partition)
            # Records under way are not acknowledged yet, and would look like those of somebody else.
            if partition is not None and partition.quiet and end > self._ends[tp]:
                self.written(tp.topic, tp.partition, end, 0)

    async def _answer(self, tp: TopicPartition, start: int, stop: int) -> None:
        """Have the keys of these offsets written again; a broker that is away is waited for, for nobody else looks."""
        while True:
            try:
                found, keys = await self._read(tp, start, stop)
                break
            except (BrokerError, KafkaError):
                await asyncio.sleep(LOOK_S)
        partition = self._partitions.get(tp.partition)
        if partition is not None and tp.topic == self._changelog:
            partition.passed(start, stop, keys)
        if not found:
            return
        self._metrics.foreign_records.inc(found)
        log.warning(
            "somebody else wrote into a log of this worker's, writing these keys again",
            topic=tp.topic,
            partition=tp.partition,
            records=found,
        )

    async def _read(self, tp: TopicPartition, start: int, stop: int) -> tuple[int, set[str]]:
        """Return how many records there are, and the keys that are written again for them."""
        found = 0
        keys: set[str] = set()
        async for records in read_from(self._settings, {tp: start}):
            for record in records:
                # A changelog begins with a tombstone of no key; no owner writes another.
                if record.offset < stop and not (tp.topic == self._changelog and record.value is None):
                    found += 1
                    keys.update(self._judge(tp, record))
        return found, keys

    def _judge(self, tp: TopicPartition, record: ConsumerRecord) -> Iterator[str]:
        """Have the key of a record written again, and yield it."""
        partition = self._partitions.get(tp.partition)
        if partition is None or record.key is None:
            return
        if tp.topic == self._changelog and record.value is not None:
            epoch, _ = partition.entity.order(record.value)
            if epoch > partition.epoch:
                raise LeaseLostError(
                    f"expected to be the owner of partition {tp.partition}, found that a later one writes its states: "
                    "what was not sent is dropped and delivered again"
                )
        with suppress(UnicodeDecodeError):
            # A key that is no text is of no user and no item.
            key = record.key.decode()
            if partition.rewrite(key):
                yield key
