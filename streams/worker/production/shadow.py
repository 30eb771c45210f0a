"""The shadow: a second scorer on the same micro-batches; only its difference from the live one is published."""

from __future__ import annotations

from typing import Final

import numpy as np

from models.scoring.scorer import TIERS
from streams.inference.active_scorer import Scoring, Served
from streams.log import log
from streams.telemetry.metrics import Metrics

SIDES: Final = {-1: "lower", 0: "same", 1: "higher"}
"""How the shadow's tier compares with the live one."""

_RANK: Final = {tier: rank for rank, tier in enumerate(TIERS)}


class Shadow:
    """Compares a second scorer with the live one.

    Attributes:
        scoring: the shadow; None for none, or for one that has failed.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self.scoring: Scoring | None = None

    def use(self, scoring: Scoring | None) -> None:
        """Compare with this scorer from now on."""
        if self.scoring is not None:
            self._metrics.shadow_model.remove(self.scoring.version)
        self.scoring = scoring
        if scoring is not None:
            self._metrics.shadow_model.labels(scoring.version).set(1)

    def compare(self, served: Served) -> None:
        """Score a micro-batch that was served, and count how the shadow differs."""
        if self.scoring is None:
            return
        try:
            predicted = self.scoring.predict(served.rows, served.profiles)
        except Exception as error:  # noqa: BLE001 - a candidate may fail in any way, and must not touch what is served
            log.error("shadow failed and is off until another artefact comes", error=type(error).__name__)
            self._metrics.shadow_failures.inc()
            self.use(None)
            return
        self._metrics.shadow_difference.observe(np.abs(predicted.prediction - served.predicted.prediction))
        shadow, live = (np.array([_RANK[tier] for tier in found.tier]) for found in (predicted, served.predicted))
        sides = np.sign(shadow - live)
        for side, name in SIDES.items():
            self._metrics.shadow_scores.labels(name).inc(int((sides == side).sum()))
