"""News of a recovery, for the log and the metrics."""

from __future__ import annotations

import time
from typing import Final

from streams.log import log
from streams.telemetry.metrics import Metrics

INTERVAL_S: Final = 5.0
"""How often a recovery says in the log how far it is."""


class RecoveryNews:
    """Counts the states that are taken from the changelog.

    Args:
        metrics: count them too.
        stage: name of the stage, for the log.
    """

    def __init__(self, metrics: Metrics, stage: str) -> None:
        self._stage = stage
        self._metrics = metrics
        self._recovering = True
        self._states = 0
        self._told_at = float("-inf")

    def begin(self) -> None:
        """A recovery begins; one that was overtaken counts as a part of it."""
        self._recovering = True

    def count(self, states: int) -> None:
        """Count states that were taken from the changelog."""
        self._metrics.recovered.inc(states)
        if self._recovering:
            self._states += states
            if time.monotonic() - self._told_at > INTERVAL_S:
                self._told_at = time.monotonic()
                log.info("recovering the state from the changelog", stage=self._stage, states=self._states)

    def end(self, partitions: int) -> None:
        """The state of so many partitions is recovered."""
        log.info("state is recovered", stage=self._stage, partitions=partitions, states=self._states)
        self._recovering = False
        self._states = 0
