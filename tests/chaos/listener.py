"""A reader of scores and signals that notes for how long it hears nothing."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from aiokafka import TopicPartition
from chaos.harness import Cluster, until
from support.patience import PATIENCE_S

from streams.broker.connection import new_consumer
from streams.broker.reading import partitions_of
from streams.contract import ITEM_SIGNALS, SCORES, topic_name


class Listener:
    """Reads the scores of a cluster, and the signals of its items, as they come.

    Silence is what a consumer of a partition sees, by the clock of this process: the clocks of nodes and workers may be
    what is broken. The waits of its own client are in it.

    Args:
        cluster: with its topics made.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._settings = cluster.settings
        self._heard: dict[TopicPartition, float] = {}
        self._longest: dict[TopicPartition, float] = {}
        self._listening: asyncio.Task[None]
        self._consumer: Any = None

    async def __aenter__(self) -> Listener:
        self._consumer = new_consumer(self._settings)
        await self._consumer.start()
        names = [topic_name(self._settings, topic) for topic in (SCORES, ITEM_SIGNALS)]
        partitions = [one for name in names for one in await partitions_of(self._settings, name)]
        self._consumer.assign(partitions)
        self._listening = asyncio.create_task(self._listen(len(partitions)))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)
        await self._consumer.stop()

    async def all_heard(self) -> None:
        """Wait until every partition has brought a record; silence is counted from then on."""
        await until(lambda: self._longest or self._listening.done(), PATIENCE_S, "a record in every partition")
        assert not self._listening.done(), self._listening.exception()

    def longest_silence_s(self, topic: str) -> float:
        """The longest time between two records of a partition of a topic of the contract, s."""
        name = topic_name(self._settings, topic)
        return max(silence for partition, silence in self._longest.items() if partition.topic == name)

    async def _listen(self, partitions: int) -> None:
        while True:
            fetched = await self._consumer.getmany(timeout_ms=200)
            now = time.monotonic()
            for partition in [partition for partition, records in fetched.items() if records]:
                if partition in self._longest:
                    self._longest[partition] = max(self._longest[partition], now - self._heard[partition])
                self._heard[partition] = now
            if not self._longest and len(self._heard) == partitions:
                self._longest = dict.fromkeys(self._heard, 0.0)
