"""The watch on what a worker serves: it feeds the shadow, the drift, the fit and the live calibration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from streams.inference.active_scorer import Scoring, Served
from streams.settings import Settings, WindowEdge
from streams.telemetry.metrics import Metrics
from streams.worker.production.live_calibration import Outcomes, Users
from streams.worker.production.served_drift import Drift
from streams.worker.production.served_fit import ServedFit
from streams.worker.production.shadow import Shadow

OUTCOMES_FILE: Final = "pending-predictions.json"


class ServedWatch:
    """Passes on what is served, as `streams.worker.users.emitter.Watchers`; nothing of it before `start`.

    It is made before the engine, which tells it.

    Args:
        settings: of the worker.
        users: those of the partitions held now.
        metrics: where everything is published.
        clock: the wall clock, ms.
        on_failure: told of an error that ends the live calibration.

    Attributes:
        shadow, drift, fit: see there.
        outcomes: None where features are not as of the clock, by which predictions fall due, or nobody is sampled.
    """

    def __init__(
        self,
        settings: Settings,
        users: Users,
        metrics: Metrics,
        clock: Callable[[], int],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self.shadow = Shadow(metrics)
        self.drift = Drift(metrics)
        self.fit = ServedFit(self.drift, settings.foreign_drift, metrics)
        self.outcomes: Outcomes | None = None
        if settings.window_edge is WindowEdge.CLOCK and settings.calibration_share > 0:
            self.outcomes = Outcomes(
                users,
                settings.state_dir / OUTCOMES_FILE,
                share=settings.calibration_share,
                clock=clock,
                metrics=metrics,
                on_failure=on_failure,
            )
        self._started = False

    def start(self, scoring: Scoring, take: Callable[[Scoring], None]) -> None:
        """Pass on from now on; `scoring` is what scores now, `take` see `use`."""
        self.use(scoring, take)
        self._started = True
        if self.outcomes is not None:
            self.outcomes.start()

    def use(self, scoring: Scoring, take: Callable[[Scoring], None]) -> None:
        """Compare with this scorer from now on; `take` is given the same scorer with another verdict on its fit."""
        self.drift.use(scoring)
        self.fit.use(scoring, take)

    async def stop(self) -> None:
        """Write what the calibration has pending; call it when nothing more is served."""
        if self.outcomes is not None:
            await self.outcomes.stop()

    def served(self, served: Served) -> None:
        """Pass on a micro-batch of served users."""
        if not self._started:
            return
        self.shadow.compare(served)
        self.drift.count(served)
        self.fit.served()
        if self.outcomes is not None:
            self.outcomes.remember(served)

    def erased(self, user_id: str) -> None:
        """Have everything that was kept of a user dropped."""
        if not self._started:
            return
        self.drift.erase(user_id)
        if self.outcomes is not None:
            self.outcomes.erase(user_id)

    def released(self) -> None:
        """Begin a new sample of the drift: erasures of its users are not heard of any more."""
        if self._started:
            self.drift.begin()
