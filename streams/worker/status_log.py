"""A line in the log now and again: what was done since the last one, and what the worker waits for."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

from prometheus_client.metrics import MetricWrapperBase

from streams.log import log
from streams.telemetry.metrics import Metrics
from streams.telemetry.tally import Fate
from streams.worker.flow import Flow
from streams.worker.readiness import Readiness

EARLY_S: Final = 10.0
"""When the first line comes, at the latest: somebody may look on while a worker starts."""


class StatusLog:
    """Writes the state of a worker into the log, also while there is nothing to do: it shows that the worker lives.

    Args:
        flow: not necessarily started yet.
        readiness: knows what it waits for.
    """

    def __init__(self, flow: Flow, readiness: Readiness) -> None:
        self._flow = flow
        self._readiness = readiness
        self._before: dict[MetricWrapperBase, Counter[str]] = {}

    async def run(self, interval_s: float) -> None:
        """Write a line at every interval, in seconds, until cancelled; none with an interval of 0."""
        if interval_s:
            await asyncio.sleep(min(EARLY_S, interval_s))
            while True:
                self.write()
                await asyncio.sleep(interval_s)

    def write(self) -> None:
        """Write a line; its counts are those since the last one."""
        flow, metrics = self._flow, self._flow.metrics
        fates = self._since(metrics.events, "outcome")
        letters = self._since(metrics.dead_letters, "reason")
        log.info(
            "status",
            applied=fates[Fate.APPLIED],
            duplicates=fates[Fate.DUPLICATE],
            erased=fates[Fate.ERASED],
            redelivered=fates[Fate.REDELIVERED],
            dead_letters={reason: letters[reason] for reason in sorted(letters) if letters[reason]},
            scores=self._since(metrics.scores, "")[""],
            facts=self._since(metrics.facts_applied, "")[""],
            signals=self._since(metrics.signals, "")[""],
            **_partitions(flow),
            lag=_lag(metrics),
            lag_s=_lag_s(metrics),
            encoder=_encoder(flow),
            waiting_for=self._readiness.missing(flow),
        )

    def _since(self, counter: MetricWrapperBase, label: str) -> Counter[str]:
        """Return by how much a counter has grown since the last line, by one of its labels."""
        totals: Counter[str] = Counter()
        for family in counter.collect():
            for sample in family.samples:
                totals[sample.labels.get(label, "")] += int(sample.value)
        before = self._before.get(counter, Counter())
        self._before[counter] = totals
        return totals - before


def _partitions(flow: Flow) -> dict[str, int]:
    """Return how many partitions each stage holds; those of users are `partitions` alone."""
    held = {stage.spec.name: len(stage.engine.partitions) if flow.started else 0 for stage in flow.stages}
    return {"partitions": held.pop("users", 0)} | {f"{name}_partitions": number for name, number in held.items()}


def _lag(metrics: Metrics) -> int | None:
    """Return the records that are not settled, of all partitions; None while it is not known."""
    values = _values(metrics.lag_messages)
    return int(sum(values)) if values else None


def _lag_s(metrics: Metrics) -> float | None:
    """Return the greatest age of a partition that is behind, s; None while it is not known."""
    values = _values(metrics.lag_seconds)
    return round(max(values), 1) if values else None


def _values(gauge: MetricWrapperBase) -> list[float]:
    return [sample.value for family in gauge.collect() for sample in family.samples]


def _encoder(flow: Flow) -> str:
    """Return `up`, `down`, or `unfitted` where no scorer was fitted to it; `loading` before the start is through."""
    if not flow.started:
        return "loading"
    if any(stage.engine.encoder_down for stage in flow.stages):
        return "down"
    return "up" if flow.inference.fitted else "unfitted"
