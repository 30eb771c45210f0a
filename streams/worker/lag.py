"""How far the input partitions of a worker are behind: what the broker says beside what the worker has settled."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from aiokafka import TopicPartition
from faust.types import TP
from prometheus_client import Gauge

from streams.broker.topics.log_ends import Bounds, LogEnds
from streams.exceptions import StateMismatchError


class Behind(NamedTuple):
    """Where a partition stands.

    Attributes:
        messages: offsets that may be records and are not settled.
        settled: the offset before which nothing is left to do.
    """

    messages: int
    settled: int


def behind(bounds: Bounds, settled: int) -> Behind:
    """Return where a partition stands whose log has these bounds.

    Records that were deleted, or that an open transaction holds back, are not counted: nobody can wait for them.
    """
    settled = max(settled, bounds.start)
    return Behind(max(0, bounds.stable - settled), settled)


def check_ends(settled: Mapping[TP, int], bounds: Mapping[TP, Bounds]) -> None:
    """Check that no log ends before what was settled of it, before the broker was asked.

    Raises:
        StateMismatchError: one does.
    """
    for tp, offset in settled.items():
        if tp in bounds and offset > bounds[tp].end:
            raise StateMismatchError(
                f"{tp.topic}-{tp.partition} ends at offset {bounds[tp].end}, but {offset} was reached: the topic was "
                "made anew while the worker ran; set WHEREWITHAL_GROUP to a new name and WHEREWITHAL_STATE_DIR to a "
                "new folder to start over"
            )


def deliveries(*consumers: Any) -> Callable[[TP], int]:
    """Return what tells when the record that was delivered last of a partition was written, ms; 0 for none."""
    return lambda tp: next((one.ledgers[tp].timestamp for one in consumers if tp in one.ledgers), 0)


class LagMetrics(Protocol):
    """Shows how far partitions are behind, by topic and partition."""

    lag_messages: Gauge
    lag_seconds: Gauge


class LagGauges:
    """Shows the lag of partitions, and nothing of those whose lag is not known.

    Args:
        metrics: whose gauges are set.
        clock: the wall clock, seconds.
    """

    def __init__(self, metrics: LagMetrics, clock: Callable[[], float] = time.time) -> None:
        self._metrics = metrics
        self._clock = clock
        # Partitions with nothing delivered yet: their next offset, and when its record was written.
        self._waiting: dict[TP, tuple[int, int | None]] = {}

    async def show(
        self, topics: Mapping[str, str], found: Mapping[TP, Behind], delivered: Callable[[TP], int], logs: LogEnds
    ) -> None:
        """Show these partitions, and no others.

        Args:
            topics: the name in the contract of each topic.
            found: where each partition stands.
            delivered: tells when what was delivered last was written, ms; 0 for nothing delivered.
            logs: asked when what waits was written, where nothing was delivered yet.

        Raises:
            BrokerError: the broker cannot be asked.
        """
        ages: dict[TP, float] = {}
        for tp, (messages, settled) in found.items():
            taken: int | None = delivered(tp)
            if messages and not taken:
                taken = await self._written(tp, settled, logs)
            if messages == 0:
                ages[tp] = 0.0
            elif taken:
                ages[tp] = max(0.0, self._clock() - taken / 1000)
        self._waiting = {tp: known for tp, known in self._waiting.items() if tp in found}
        self._set(self._metrics.lag_messages, topics, {tp: one.messages for tp, one in found.items()})
        self._set(self._metrics.lag_seconds, topics, ages)

    def clear(self) -> None:
        """Show nothing: a last value would be taken for what is."""
        self._set(self._metrics.lag_messages, {}, {})
        self._set(self._metrics.lag_seconds, {}, {})

    async def _written(self, tp: TP, offset: int, logs: LogEnds) -> int | None:
        known = self._waiting.get(tp)
        if known is None or known[0] != offset:
            known = self._waiting[tp] = offset, await logs.written_at(TopicPartition(tp.topic, tp.partition), offset)
        return known[1]

    @staticmethod
    def _set(gauge: Gauge, topics: Mapping[str, str], values: Mapping[TP, float]) -> None:
        show_only(gauge, (((topics[tp.topic], str(tp.partition)), value) for tp, value in values.items()))


def show_only(gauge: Gauge, values: Iterable[tuple[tuple[str, ...], float]]) -> None:
    """Set the series of a gauge with these labels, and remove all its others."""
    wanted = dict(values)
    names = gauge._labelnames
    shown = {tuple(sample.labels[name] for name in names) for family in gauge.collect() for sample in family.samples}
    for labels in shown - wanted.keys():
        gauge.remove(*labels)
    for labels, value in wanted.items():
        gauge.labels(*labels).set(value)
