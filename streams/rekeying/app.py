"""The Faust app of `rekey`: an agent for each source, and the take-over of what a rebalance gave this process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError
from faust.tables.recovery import Recovery
from faust.types import TP

from streams.broker.throttling import Throttle
from streams.exceptions import StreamsError
from streams.rekeying.beginning import Beginnings
from streams.rekeying.rekeyer import Rekeyer
from streams.settings import Settings
from streams.worker.app import App, leave_in_order
from streams.worker.consuming.batch_consumer import BatchTransport
from streams.worker.consuming.raw_schema import RawSchema


class SourceMember:
    """This process in its group, as `streams.rekeying.rekeyer.Member`.

    Args:
        app: not necessarily started yet.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    def assigned(self) -> Collection[TopicPartition]:
        """Return the partitions that it has now."""
        return [TopicPartition(tp.topic, tp.partition) for tp in self._app.consumer.assignment()]

    async def committed(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Return the committed offsets of those partitions that have one."""
        asked = [TP(tp.topic, tp.partition) for tp in partitions]
        offsets: Mapping[TopicPartition, int] = await self._app.consumer.committed_offsets(asked)
        return offsets

    async def begin_at(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit first positions of partitions that nothing was taken in of yet, and go to those that it has."""
        await self._app.consumer.begin_at(offsets)

    async def commit(self) -> None:
        """Commit what is acknowledged by now."""
        await self._app.consumer.commit()

    def rejoin(self) -> None:
        """Leave the partitions and join the group again."""
        self._app.consumer.rejoin()


class _TakeOver(Recovery):
    """In place of a recovery, which an app without tables has none of: what comes before batches are delivered.

    Args:
        app: Faust's.
        take_over: awaited with the serial number of the assignment; returns whether batches may be delivered.
    """

    def __init__(self, app: Any, take_over: Callable[[int], Awaitable[bool]]) -> None:
        self._take_over = take_over
        super().__init__(app, app.tables, beacon=app.tables.beacon, loop=app.tables.loop)

    async def _resume_streams(self, generation_id: int = 0) -> None:
        try:
            if not await self._take_over(generation_id):
                return
            await super()._resume_streams(generation_id)
        except (KafkaError, StreamsError) as error:
            # The next assignment overtakes this one; Faust would end the take-over of any other in silence.
            if not isinstance(error, IllegalStateError):
                await self.app.crash(error)
            raise
        self.app.consumer.begin_delivery(generation_id)


def attach(app: App, rekeyer: Rekeyer, beginnings: Beginnings, settings: Settings, throttle: Throttle) -> None:
    """Have an app deliver to a rekeyer: its consumer, an agent for each source, and what comes before.

    Args:
        app: not started yet.
        rekeyer: takes over partitions, takes batches, and releases what is revoked.
        beginnings: judge positions that a log has not.
        settings: of the process.
        throttle: waits out the broker's quotas.
    """
    # Faust would make folders for tables, which this app has none of.
    app._create_directories = lambda: None
    # Before the agents, for which Faust would make one of its own.
    app.transport = BatchTransport(app, settings, throttle, beginnings, rekeyer.begin)

    async def take(stream: Any) -> None:
        async for event in stream.noack().events():
            rekeyer.submit(event)

    for source in settings.rekey_topics:
        topic = app.topic(source.topic, schema=RawSchema(), allow_empty=True)
        app.agent(topic, name=f"wherewithal.rekey.{source.topic}")(take)
    app.tables._recovery = _TakeOver(app, rekeyer.take_over)
    leave_in_order(app, rekeyer.release, lambda: rekeyer.assignment.lease)
