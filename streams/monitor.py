"""Watching a worker: lag, table size, and whether it makes the progress that a live worker makes."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import Any, Final

from aiokafka import TopicPartition
from faust.types import TP

from streams.exceptions import BrokerError, BrokerRefusalError, StreamsError
from streams.flow import Flow
from streams.kafka import INPUTS, topic_name
from streams.log import log
from streams.log_ends import LogEnds

INTERVAL_S: Final = 2.0

ANSWER_S: Final = 10.0
"""A broker that does not say within this time where its logs end is down."""

COLLECT_S: Final = 300.0
"""How often all garbage is looked for: it takes a fraction of a second for every million live objects."""

LOOP_SILENCE_S: Final = 30.0
"""An event loop that has not run this task for so long is stuck."""


class StalledError(StreamsError):
    """A partition with lag made no progress, and no dependency is known to fail."""


class Monitor:
    """Keeps the gauges of a flow, and judges its health.

    Args:
        flow: not necessarily started yet.
        stall_s: how long a partition with lag may make no progress before something is wrong.
    """

    def __init__(self, flow: Flow, stall_s: float) -> None:
        self._flow = flow
        self._stall_s = stall_s
        self._beat = time.monotonic()
        self._progress: dict[str, tuple[int, float]] = {}
        self._stalled: str | None = None
        self._logs: LogEnds | None = None

    async def run(self) -> None:
        """Watch until cancelled; a stall that nothing explains ends the flow, so that its supervisor restarts it."""
        try:
            await self._run()
        finally:
            await self._forget_broker()

    async def _run(self) -> None:
        collected = time.monotonic()
        while True:
            self._beat = time.monotonic()
            if self._flow.started:
                await self._watch()
            self._flow.metrics.ready.set(0 if self.ready() else 1)
            if time.monotonic() - collected > COLLECT_S:
                # The old generation is not collected by itself (`streams.interpreter`), and there cycles of the
                # libraries end.
                gc.collect()
                collected = time.monotonic()
            await asyncio.sleep(INTERVAL_S)

    def live(self) -> str | None:
        """Return why the process should be restarted, or None."""
        if self._flow.failed_with is not None:
            return str(self._flow.failed_with)
        silence = time.monotonic() - self._beat
        if silence > LOOP_SILENCE_S:
            return f"the event loop has not run for {silence:.0f} s"
        return self._stalled

    def ready(self) -> str | None:
        """Return why the process cannot do its work now, or None."""
        if not self._flow.started:
            return "starting: joining the group and recovering the state"
        return self.live() or self._flow.failing_dependency()

    async def _watch(self) -> None:
        names = {topic_name(self._flow.settings, topic): topic for topic in INPUTS}
        consumer: Any = self._flow.app.consumer
        assigned = [tp for tp in consumer.assignment() if tp.topic in names]
        ends = await self._ends(assigned)
        dependency, now = self._flow.failing_dependency(), time.monotonic()
        if dependency is not None or self._flow.throttle.active:
            self._progress.clear()
        for tp in assigned if ends else ():
            lag = max(0, ends[tp] - consumer.settled_position(tp))
            taken = consumer.ledgers[tp].timestamp if tp in consumer.ledgers else 0
            age = time.time() - taken / 1000 if lag and taken else 0.0
            self._flow.metrics.lag_messages.labels(names[tp.topic], tp.partition).set(lag)
            self._flow.metrics.lag_seconds.labels(names[tp.topic], tp.partition).set(max(0.0, age))
            self._judge(f"{tp.topic}-{tp.partition} has {lag} records and", lag == 0, ends[tp] - lag, now)
        if dependency is None:
            self._judge("the group has answered no heartbeat and", not self._flow.lease.expired, 0, now)
        for number, partition in self._flow.engine.partitions.items():
            users, size = partition.states.size(number)
            self._flow.metrics.table_users.labels(number).set(users)
            self._flow.metrics.table_bytes.labels(number).set(size)

    async def _ends(self, assigned: list[TP]) -> dict[TP, int]:
        """Ask the broker where the logs end, beside the consumer: one that is stuck would not know."""
        asked = {TopicPartition(tp.topic, tp.partition): tp for tp in assigned}
        if not asked:
            return {}
        try:
            async with asyncio.timeout(ANSWER_S):
                if self._logs is None:
                    logs = LogEnds(self._flow.settings)
                    await logs.open()
                    self._logs = logs
                ends = await self._logs.of(list(asked))
        except BrokerRefusalError as error:
            self._flow.fail(error)
            await self._forget_broker()
            return {}
        except (BrokerError, TimeoutError):
            if not self._flow.broker_silent:
                log.warning("the broker does not answer, waiting for it")
            self._flow.broker_silent = True
            await self._forget_broker()
            return {}
        if self._flow.broker_silent:
            log.info("the broker answers again")
        self._flow.broker_silent = False
        return {asked[tp]: end for tp, end in ends.items()}

    async def _forget_broker(self) -> None:
        """Close the connections to the broker; a broker that comes back elsewhere is looked for anew."""
        logs, self._logs = self._logs, None
        if logs is not None:
            await logs.close()

    def _judge(self, what: str, well: bool, position: int, now: float) -> None:
        """End the flow if something that is not well has stayed at the same position for too long."""
        key = what.split(" ", 1)[0]
        known, since = self._progress.get(key, (-1, now))
        if well or position != known:
            self._progress[key] = (position, now)
        elif now - since > self._stall_s:
            self._stall(f"{what} made no progress for {now - since:.0f} s")

    def _stall(self, reason: str) -> None:
        self._stalled = reason
        log.error("stalled, ending so that the supervisor restarts this worker", reason=reason)
        self._flow.fail(StalledError(reason))
