"""The fate of the input. Each record is counted once, however often it is delivered."""

from __future__ import annotations

import time
from array import array
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from features.items.fact import Fact
from streams.telemetry.metrics import Metrics


class Fate(StrEnum):
    """The fate of an input record."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    DEAD_LETTER = "dead_letter"
    ERASED = "erased"
    """Refused: not newer than its user's erasure."""
    REDELIVERED = "redelivered"
    """Already in the state when this process began."""


class Tally:
    """Counts fates and latencies.

    Args:
        metrics: kept up to date alongside.
        keep_latencies: whether every event-to-score latency is kept (4 bytes each), for exact percentiles.

    Attributes:
        fates: of the records.
        first_duplicates: the offset of the first duplicate, by topic (its name in the contract) and partition.
        scores_out: acknowledged score records.
        facts_sent, facts_applied: facts acknowledged by the broker, and taken in by items; each place once.
        signals_out: acknowledged records of items.
        named, unlisted: applied events that name a category, and those of them whose category the scorer does not list.
    """

    def __init__(self, metrics: Metrics, keep_latencies: bool) -> None:
        self._metrics = metrics
        self._counted: dict[tuple[str, int], int] = {}
        self._latencies_ms = array("f") if keep_latencies else None
        self.fates: Counter[Fate] = Counter()
        self.first_duplicates: dict[tuple[str, int], int] = {}
        self.scores_out = 0
        self.named = 0
        self.unlisted = 0
        self.facts_sent = 0
        self.facts_applied = 0
        self.signals_out = 0
        self._facts_counted: dict[tuple[bool, int, int, int], int] = {}

    def count(self, topic: str, partition: int, offset: int, fate: Fate) -> None:
        """Count a record, unless a record at its offset or a later one was counted. Records come in offset order."""
        self.count_all(topic, partition, [offset], [fate])

    def count_all(self, topic: str, partition: int, offsets: Sequence[int], fates: Sequence[Fate]) -> None:
        """Count records as `count` does; many cost hardly more than one."""
        if not offsets:
            return
        counted = self._counted.get((topic, partition), -1)
        self._counted[topic, partition] = max(counted, offsets[-1])
        if offsets[0] <= counted:
            fates = [fate for offset, fate in zip(offsets, fates, strict=True) if offset > counted]
        for fate, number in Counter(fates).items():
            self.fates[fate] += number
            self._metrics.events.labels(topic, fate.value).inc(number)
            if fate is Fate.DUPLICATE and (topic, partition) not in self.first_duplicates:
                self.first_duplicates[topic, partition] = offsets[fates.index(fate) - len(fates)]

    def count_categories(self, named: int, unlisted: int) -> None:
        """Count applied events that name a category, and those of them whose category the scorer does not list."""
        self.named += named
        self.unlisted += unlisted
        self._metrics.category_events.labels("yes").inc(named - unlisted)
        self._metrics.category_events.labels("no").inc(unlisted)

    def scored(self, arrivals: Sequence[int], scores: int) -> None:
        """Note that scores are acknowledged which cover events with these Kafka timestamps (ms)."""
        self.scores_out += scores
        self._metrics.scores.inc(scores)
        if arrivals:
            waited = time.time() * 1000 - np.asarray(arrivals, np.float64)
            self._metrics.event_to_score.observe(waited / 1000)
            if self._latencies_ms is not None:
                self._latencies_ms.extend(waited.tolist())

    def sent_facts(self, source: int, place: int, facts: Sequence[Fact]) -> None:
        """Note that facts are acknowledged, of events of a source partition and of items of the partition `place`."""
        new = self._count_facts(True, source, place, facts)
        self.facts_sent += new
        self._metrics.facts_sent.inc(new)

    def applied_facts(self, source: int, place: int, facts: Sequence[Fact]) -> None:
        """Note that facts are applied to items of the partition `place`."""
        new = self._count_facts(False, source, place, facts)
        self.facts_applied += new
        self._metrics.facts_applied.inc(new)

    def _count_facts(self, sent: bool, source: int, place: int, facts: Sequence[Fact]) -> int:
        """Return how many of them are at places that were not counted before; those of a topic come in their order."""
        new = 0
        for fact in facts:
            key = sent, fact.topic, source, place
            if fact.offset > self._facts_counted.get(key, -1):
                self._facts_counted[key] = fact.offset
                new += 1
        return new

    def signalled(self, arrivals: Sequence[int], signals: int) -> None:
        """Note that signals of items are acknowledged."""
        self.signals_out += signals
        self._metrics.signals.inc(signals)

    def estimated(self, estimates: int) -> None:
        """Note that so many records of capacity are acknowledged."""
        self._metrics.estimates.inc(estimates)

    def stored(self, arrivals: Sequence[int]) -> None:
        """Note that feature rows are written which cover events with these Kafka timestamps (ms)."""
        if arrivals:
            waited = time.time() * 1000 - np.asarray(arrivals, np.float64)
            self._metrics.event_to_features.observe(waited / 1000)

    @property
    def latencies(self) -> int:
        """How many latencies are kept so far."""
        return len(self._latencies_ms or ())

    def latency_percentiles(self, since: int = 0) -> dict[str, float | None]:
        """Return p50, p95 and p99 of event to score, ms; None while nothing was scored.

        Args:
            since: how many latencies, the first that were kept, are left out.
        """
        if self._latencies_ms is None or len(self._latencies_ms) <= since:
            return dict.fromkeys(("p50", "p95", "p99"))
        found = np.percentile(np.frombuffer(self._latencies_ms, np.float32)[since:], (50, 95, 99))
        return dict(zip(("p50", "p95", "p99"), (round(float(value), 3) for value in found), strict=True))
