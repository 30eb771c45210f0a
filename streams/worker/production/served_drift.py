"""Drift of what is served: a bounded sample of the users served in a window, against the training rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from features.users.row import Value
from models.artefact.drift_reference import DriftReference
from streams.inference.active_scorer import Scoring, Served
from streams.log import log
from streams.telemetry.metrics import Metrics

WINDOW_S: Final = 86_400.0
"""A day, so that no hour of the day is taken for drift."""

MOST_USERS: Final = 4096
"""Users in the sample: between this and half of it, whose index is by chance alone about 10 / 2048 = 0.005."""

LEAST_USERS: Final = 1000
"""With fewer users the index is by chance alone above 10 / 1000 = 0.01, too near to an index that is worth a look."""

_HASHES: Final = 1 << 60


class Drift:
    """Keeps the sample, and publishes the population stability index of every feature and of the prediction.

    Each user counts once in a window, by the row served last: a training row is a user at an instant, so users who do
    much must not count for more. The sample is of the users with the lowest hashes; whenever it is full, the bound on
    the hash is halved, so that it stays uniform over all users seen, at a cost in memory that is bounded.

    Args:
        metrics: where the indices go.
        window_s: after so long the sample begins anew; the indices stay until there are others.
        least_users: fewer have no index.
        clock: monotonic, in seconds.

    Attributes:
        indices: by feature, of the last sample that had users enough when it was published; empty before the first.
    """

    def __init__(
        self,
        metrics: Metrics,
        *,
        window_s: float = WINDOW_S,
        least_users: int = LEAST_USERS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._metrics = metrics
        self._window_s = window_s
        self._least_users = least_users
        self._clock = clock
        self._reference: DriftReference | None = None
        self._sample: dict[int, tuple[Sequence[Value], float]] = {}
        self._bound = _HASHES
        self._since = clock()
        self.indices: dict[str, float] = {}

    @property
    def users(self) -> int:
        """The number of users in the sample."""
        return len(self._sample)

    def rows(self) -> list[Sequence[Value]]:
        """Return the rows in the sample, one a user, only to be read."""
        return [row for row, _ in self._sample.values()]

    def use(self, scoring: Scoring) -> None:
        """Compare with this artefact's training rows from now on."""
        self._reference = scoring.artefact.drift
        if self._reference is None:
            log.info("artefact has no drift reference, drift is not published", scorer=scoring.version)
        self._metrics.drift.clear()
        self.indices = {}
        self.begin()

    def count(self, served: Served) -> None:
        """Take a micro-batch of served users into the sample."""
        bound = self._bound
        for position, user_id in enumerate(served.users):
            found = _hash(user_id)
            if found < bound:
                self._sample[found] = (served.rows[position], float(served.predicted.prediction[position]))
        while len(self._sample) > MOST_USERS:
            self._bound //= 2
            self._sample = {found: row for found, row in self._sample.items() if found < self._bound}

    def erase(self, user_id: str) -> None:
        """Drop the row of a user."""
        self._sample.pop(_hash(user_id), None)

    def publish(self) -> None:
        """Set the gauges, and begin a new window if this one is over."""
        self._metrics.drift_users.set(len(self._sample))
        if self._reference is not None and len(self._sample) >= self._least_users:
            rows, predictions = zip(*self._sample.values(), strict=True)
            # All of the sample at once: to sort each micro-batch into bins cost a tenth of scoring it.
            bins = self._reference.bins(rows, np.array(predictions))
            self.indices = self._reference.drift(bins)
            for feature, index in self.indices.items():
                self._metrics.drift.labels(feature).set(index)
        if self._clock() - self._since >= self._window_s:
            self.begin()

    def begin(self) -> None:
        """Begin a new sample; the indices stay until it has users enough."""
        self._sample = {}
        self._bound = _HASHES
        self._since = self._clock()


def _hash(user_id: str) -> int:
    # Salted anew in every process by Python itself: nobody can choose ids that are always, or never, sampled.
    return hash(user_id) & (_HASHES - 1)
