"""Whether the scorer fits what is served: judged on the sample of the drift, and told in the records from then on."""

from __future__ import annotations

from collections.abc import Callable

from models.artefact.origin import LEAST_ALIKE
from streams.inference.active_scorer import Scoring
from streams.inference.fit import FITS, Fit, by_served
from streams.log import log
from streams.telemetry.metrics import Metrics
from streams.worker.production.served_drift import Drift


class ServedFit:
    """Judges the scorer whenever it is asked to, and each time the sample has doubled.

    A shop of few users is served in one micro-batch. So the first judgement comes before the records of that batch are
    written.

    Args:
        drift: with the sample.
        most_drift: the bound on its index.
        metrics: where the verdict is shown.

    Attributes:
        scoring: what scores now, with the verdict; None before the first.
        changed: whether the verdict on any scorer changed after it began to score.
    """

    def __init__(self, drift: Drift, most_drift: float, metrics: Metrics) -> None:
        self._drift = drift
        self._most_drift = most_drift
        self._metrics = metrics
        self._take: Callable[[Scoring], None] = lambda _: None
        self._next_look = LEAST_ALIKE
        self.scoring: Scoring | None = None
        self.changed = False

    def use(self, scoring: Scoring, take: Callable[[Scoring], None]) -> None:
        """Judge this scorer from now on; `take` is given the same scorer with another verdict."""
        self.scoring, self._take, self._next_look = scoring, take, LEAST_ALIKE
        self._show(scoring)

    def served(self) -> None:
        """Be told that the sample has grown."""
        if self._drift.users >= self._next_look:
            self._next_look = 2 * self._drift.users
            self.judge()

    def judge(self, *, afresh: bool = False) -> None:
        """Judge what was served, and have the records say so; `afresh` without regard to the verdict before."""
        before = self.scoring
        origin = None if before is None else before.artefact.origin
        if before is None or origin is None or origin.currency != before.currency:
            # No sample makes up for what the artefact does not say, or for another currency.
            return
        known = FITS if afresh else before.verdict
        found = by_served(origin, self._drift.rows(), self._drift.indices, self._most_drift, known)
        if found is None or found == before.verdict:
            return
        self.scoring = before.judged(found)
        self._take(self.scoring)
        if found.fit is not before.verdict.fit:
            self.changed = True
            self._show(self.scoring)

    def _show(self, scoring: Scoring) -> None:
        fit, why = scoring.verdict
        for other in Fit:
            self._metrics.model_fit.labels(other.value).set(1 if other is fit else 0)
        if fit is Fit.FOREIGN:
            log.warning("the scorer does not fit this shop", scorer=scoring.version, found=why)
        else:
            log.info("whether the scorer fits this shop", scorer=scoring.version, fit=fit.value, found=why)
