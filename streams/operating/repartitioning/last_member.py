"""The last member of a group of the source: it keeps workers out, and its generation is above all before it.

An owner of partitions takes an epoch by the generation of the group, and rows in the online store carry it. A group of
another name begins its generations anew, so the states that it finds must carry an epoch above every row's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Coroutine
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import InconsistentGroupProtocolError

from streams.broker.connection import connection, reaching
from streams.broker.login.connecting import Patience
from streams.broker.members import count_members
from streams.exceptions import BrokerError
from streams.operating.repartitioning.standstill import NotStillError, session_s
from streams.settings import Settings
from streams.worker.epochs import epoch_of

_POLL_MS: Final = 500
_TAKE_OVERS: Final = 1 << 20
"""Take-overs since the last state that was written, at most. Where a group was deleted, each raises the epoch by 1."""

T = TypeVar("T")


class _Alone(RoundRobinPartitionAssignor):  # type: ignore[misc]
    """Goes by a name of its own: the broker lets no worker into the group as long as this member is there."""

    name = "wherewithal-repartition"


class _AsWorkers(RoundRobinPartitionAssignor):  # type: ignore[misc]
    """Goes by the name of the workers': the embedded broker takes no other once workers were in a group."""

    name = "faust"


class LastMember:
    """Joins the group, as an asynchronous context manager, and leaves it in the end.

    Args:
        settings: of the source.
        group: by its name on the broker.
        inputs: every partition that the group reads.
    """

    def __init__(self, settings: Settings, group: str, inputs: Collection[TopicPartition]) -> None:
        self._settings = settings
        self._group = group
        self._inputs = frozenset(inputs)
        self._disturbed: asyncio.Future[None]
        self._consumer: AIOKafkaConsumer
        self._generation = -1

    async def __aenter__(self) -> Self:
        """Join.

        Raises:
            NotStillError: others are in the group.
            BrokerError: the broker cannot be used.
        """
        self._disturbed = asyncio.get_running_loop().create_future()
        async with reaching(self._settings):
            try:
                await self._join(_Alone)
            except InconsistentGroupProtocolError as error:
                if await count_members(self._settings, self._group):
                    raise NotStillError(
                        f"expected no worker in the group {self._group!r}, found that one has just started: stop it, "
                        "and run this again"
                    ) from error
                await self._join(_AsWorkers)
        return self

    async def _join(self, assignor: type[RoundRobinPartitionAssignor]) -> None:
        settings, session = self._settings, session_s(self._settings)
        # A broker may let a first member wait for others, up to its session: it would ask anew for ever.
        patience = Patience.of(max(settings.request_timeout_s, session), settings.connect_timeout_s)
        self._consumer = AIOKafkaConsumer(
            **connection(settings) | {"request_timeout_ms": patience},
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            session_timeout_ms=int(session * 1000),
            heartbeat_interval_ms=int(settings.heartbeat_interval_s * 1000),
            partition_assignment_strategy=[assignor],
        )
        self._consumer.subscribe(sorted({tp.topic for tp in self._inputs}), listener=_Listener(self))
        patience_s = session_s(settings) + settings.request_timeout_s
        try:
            async with asyncio.timeout(patience_s):
                await self._consumer.start()
        except TimeoutError as error:
            await self._consumer.stop()
            raise BrokerError(
                f"expected the broker to let this command into the group {self._group!r} within "
                f"{patience_s:g} s, found no answer: check its log and its load, and run this again"
            ) from error
        except BaseException:
            await self._consumer.stop()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._disturbed.cancel() and not self._disturbed.cancelled():
            # Retrieved, or the event loop would log it: what ended the work is said already.
            self._disturbed.exception()
        await self._consumer.stop()

    def epoch(self, seen: int) -> int:
        """Return an epoch above every epoch that an owner of a partition has taken until now.

        Args:
            seen: the highest epoch of a state.
        """
        return epoch_of(self._generation, int(time.time() * 1000), seen + _TAKE_OVERS)

    async def during(self, work: Coroutine[Any, Any, T]) -> T:
        """Await work, which ends as soon as anybody else joins the group or writes to an input.

        Raises:
            NotStillError: somebody did.
        """
        working = asyncio.create_task(work)
        watching = asyncio.create_task(self._watch())
        either: set[asyncio.Future[Any]] = {working, watching, self._disturbed}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if self._disturbed.done():
                self._disturbed.result()
            if watching.done():
                watching.result()
            return await working
        finally:
            for task in (working, watching):
                task.cancel()
            await asyncio.gather(working, watching, return_exceptions=True)

    async def _watch(self) -> None:
        async with reaching(self._settings):
            while True:
                for partition, records in (await self._consumer.getmany(timeout_ms=_POLL_MS)).items():
                    raise NotStillError(
                        f"expected nothing new in the inputs, found {len(records)} records in {partition.topic}-"
                        f"{partition.partition}: stop the producers, let the workers settle the rest, stop them, and "
                        "run this again"
                    )

    def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        """Take note of what the group gives: all of it, unless somebody else is there."""
        self._generation = self._consumer._coordinator.generation
        if partitions != self._inputs:
            self.disturb()

    def disturb(self) -> None:
        """Take note that the group divides its partitions anew."""
        if not self._disturbed.done():
            self._disturbed.set_exception(
                NotStillError(
                    f"expected to stay the only member of the group {self._group!r}, found that it is "
                    "divided anew: a worker was started, or the broker was out of reach for "
                    f"{session_s(self._settings):g} s; stop the worker, and run this again"
                )
            )


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, member: LastMember) -> None:
        self._member = member

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Tell of a rebalance."""
        if revoked:
            self._member.disturb()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Tell what is assigned."""
        self._member.assigned(frozenset(assigned))
