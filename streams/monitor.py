"""Watching a worker: lag, table size, and whether it makes the progress that a live worker makes."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from faust.exceptions import ConsumerNotStarted
from faust.types import TP

from streams.exceptions import StreamsError
from streams.flow import Flow
from streams.kafka import INPUTS, topic_name
from streams.log import log

INTERVAL_S: Final = 2.0

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
        self._progress: dict[TP, tuple[int, float]] = {}
        self._stalled: str | None = None

    async def run(self) -> None:
        """Watch until cancelled; a stall that nothing explains ends the flow, so that its supervisor restarts it."""
        while True:
            self._beat = time.monotonic()
            if self._flow.started:
                self._watch()
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

    def _watch(self) -> None:
        consumer: Any = self._flow.app.consumer
        metrics, now = self._flow.metrics, time.monotonic()
        names = {topic_name(self._flow.settings, topic): topic for topic in INPUTS}
        dependency = self._flow.failing_dependency()
        for tp in consumer.assignment():
            topic = names.get(tp.topic)
            end = None if topic is None else _end(consumer, tp)
            if end is None:
                continue
            settled = consumer.settled_position(tp)
            lag = max(0, end - settled)
            taken = consumer.ledgers[tp].timestamp if tp in consumer.ledgers else 0
            age = time.time() - taken / 1000 if lag and taken else 0.0
            metrics.lag_messages.labels(topic, tp.partition).set(lag)
            metrics.lag_seconds.labels(topic, tp.partition).set(max(0.0, age))
            known, since = self._progress.get(tp, (-1, now))
            if settled != known or not lag or dependency is not None:
                self._progress[tp] = (settled, now)
            elif now - since > self._stall_s:
                self._stall(f"{tp.topic}-{tp.partition} has {lag} records and made no progress for {now - since:.0f} s")
        for number, partition in self._flow.engine.partitions.items():
            users, size = partition.states.size(number)
            metrics.table_users.labels(number).set(users)
            metrics.table_bytes.labels(number).set(size)

    def _stall(self, reason: str) -> None:
        self._stalled = reason
        log.error("stalled, ending so that the supervisor restarts this worker", reason=reason)
        self._flow.fail(StalledError(reason))


def _end(consumer: Any, tp: TP) -> int | None:
    try:
        end: int | None = consumer.highwater(tp)
    except (AssertionError, ConsumerNotStarted):
        # aiokafka asserts that the partition is assigned; the thread of the consumer may have just given it up.
        return None
    return end
