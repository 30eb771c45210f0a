"""Times ahead of the worker's clock: counted and told of, for somebody's clock is wrong.

What becomes of an event is decided by its record's Kafka timestamp alone, so that it is the same at every delivery.
A time ahead that is accepted still moves the user's T, and empties the user's short windows until the clock is there.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from aiokafka import ConsumerRecord

from streams.log import log
from streams.records.decoder import Decoded
from streams.records.rejection import Rejection
from streams.telemetry.metrics import Metrics
from streams.worker.applying.clock_steps import TOLERANCE_MS

NEWS_S: Final = 60.0
"""The log has a topic's times ahead at most so often."""


class FutureTimes:
    """Looks for times ahead of the clock among what is taken in.

    Args:
        clock: the wall clock, ms.
        metrics: count them.
        monotonic: a clock that is never set, s.
    """

    def __init__(
        self, clock: Callable[[], int], metrics: Metrics, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._metrics = metrics
        self._monotonic = monotonic
        self._told_at: dict[str, float] = {}
        self._untold: Counter[tuple[str, str]] = Counter()
        self._furthest: dict[str, int] = {}

    def look(self, topic: str, records: Sequence[ConsumerRecord], items: Sequence[Decoded]) -> None:
        """Count records and accepted events of a topic whose time is ahead by more than the tolerance."""
        limit = self._clock() + TOLERANCE_MS
        by_record = [record.timestamp for record in records if record.timestamp > limit]
        by_event = [item.timestamp for item in items if not isinstance(item, Rejection) and item.timestamp > limit]
        if not by_record and not by_event:
            return
        self._metrics.records_ahead.labels(topic).inc(len(by_record))
        self._metrics.events_ahead.labels(topic).inc(len(by_event))
        self._untold[topic, "records"] += len(by_record)
        self._untold[topic, "events"] += len(by_event)
        ahead = max(by_record + by_event) - limit + TOLERANCE_MS
        self._furthest[topic] = max(self._furthest.get(topic, 0), ahead)
        self._tell(topic)

    def _tell(self, topic: str) -> None:
        now = self._monotonic()
        if now - self._told_at.get(topic, float("-inf")) < NEWS_S:
            return
        self._told_at[topic] = now
        log.warning(
            "times ahead of this worker's clock: a producer's clock is wrong, or this one",
            topic=topic,
            records=self._untold.pop((topic, "records")),
            events=self._untold.pop((topic, "events")),
            furthest_s=self._furthest.pop(topic) // 1000,
        )
