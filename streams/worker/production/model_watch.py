"""Models in production: new artefacts taken over, a shadow beside the live one, drift, and live calibration."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from streams.exceptions import ConfigurationError
from streams.inference.active_scorer import Scoring, Served
from streams.inference.loading import Inference, artefact_folder
from streams.settings import Settings, WindowEdge
from streams.tasks import Tasks
from streams.telemetry.metrics import Metrics
from streams.worker.engine import Engine
from streams.worker.production.artefact_watch import ArtefactWatch
from streams.worker.production.live_calibration import Outcomes
from streams.worker.production.served_drift import Drift
from streams.worker.production.shadow import Shadow
from streams.worker.republishing.refreshing import Refresher
from streams.worker.republishing.republishing import Republisher

PUBLISH_S: Final = 15.0
"""How often drift is computed: about as often as it is scraped."""

OUTCOMES_FILE: Final = "pending-predictions.json"


class Production:
    """Watches the models of a running worker, and swaps the live one.

    Args:
        settings: of the worker.
        inference: what it began with.
        engine: started; its emitter tells what is served.
        metrics: where everything is published.
        clock: the wall clock, ms.
        on_failure: told of an error that ends any of it.

    Attributes:
        live, shadow_watch: on the folders; `shadow_watch` is None where no shadow is set.
        shadow, drift: see there.
        republisher: publishes every user again when asked to.
        outcomes: None where features are not as of the clock, by which predictions fall due, or nobody is sampled.
    """

    def __init__(
        self,
        settings: Settings,
        inference: Inference,
        engine: Engine,
        metrics: Metrics,
        clock: Callable[[], int],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._engine = engine
        self._metrics = metrics
        self._poll_s = settings.artefact_poll_s
        rate = settings.refresh_users_per_s
        self._refresher = Refresher(lambda: engine.partitions, rate, metrics, on_failure)
        self.republisher = Republisher(lambda: engine.partitions, settings.partitions, rate, metrics, on_failure)
        self._tasks = Tasks("drift", on_failure)
        self.shadow = Shadow(metrics)
        self.drift = Drift(metrics)
        self.outcomes: Outcomes | None = None
        if settings.window_edge is WindowEdge.CLOCK and settings.calibration_share > 0:
            self.outcomes = Outcomes(
                engine,
                settings.state_dir / OUTCOMES_FILE,
                share=settings.calibration_share,
                clock=clock,
                metrics=metrics,
                on_failure=on_failure,
            )
        self.live = ArtefactWatch(
            "live",
            artefact_folder(settings),
            accept=inference.accept,
            current=lambda: engine.emitter.scoring.version,
            take=self._swap,
            metrics=metrics,
            on_failure=on_failure,
        )
        self.shadow_watch: ArtefactWatch | None = None
        if settings.shadow_artefact:
            if not Path(settings.shadow_artefact).is_dir():
                raise ConfigurationError(
                    f"WHEREWITHAL_SHADOW_ARTEFACT: expected a folder, found none at {settings.shadow_artefact}; "
                    "make it, and put the scorer there when it is ready"
                )
            self.shadow_watch = ArtefactWatch(
                "shadow",
                Path(settings.shadow_artefact),
                accept=inference.accept,
                current=lambda: None if self.shadow.scoring is None else self.shadow.scoring.version,
                take=self.shadow.use,
                metrics=metrics,
                on_failure=on_failure,
            )

    def start(self) -> None:
        """Watch until stopped."""
        emitter = self._engine.emitter
        self.drift.use(emitter.scoring)
        emitter.on_served = self._served
        emitter.on_erased = self._erased
        self._engine.on_released = self.drift.begin
        if self.outcomes is not None:
            self.outcomes.start()
        self._tasks.begin(self._publish())
        for watch in self._watches():
            watch.start(self._poll_s)

    async def stop(self) -> None:
        """Watch no more; call it when the engine publishes nothing more."""
        for watch in self._watches():
            await watch.stop()
        await self._refresher.stop()
        await self.republisher.stop()
        self._tasks.cancel()
        await self._tasks.ended()
        if self.outcomes is not None:
            await self.outcomes.stop()

    def reload(self) -> None:
        """Read the artefact folders now."""
        for watch in self._watches():
            watch.ask()

    def _watches(self) -> list[ArtefactWatch]:
        return [self.live] if self.shadow_watch is None else [self.live, self.shadow_watch]

    def _swap(self, scoring: Scoring) -> None:
        before = self._engine.emitter.scoring
        self._engine.swap(scoring)
        self._metrics.model.remove(before.version, before.model["encoder"])
        self._metrics.model.labels(scoring.version, scoring.model["encoder"]).set(1)
        self.drift.use(scoring)
        self._refresher.begin()

    def _served(self, served: Served) -> None:
        self.shadow.compare(served)
        self.drift.count(served)
        if self.outcomes is not None:
            self.outcomes.remember(served)

    def _erased(self, user_id: str) -> None:
        self.drift.erase(user_id)
        if self.outcomes is not None:
            self.outcomes.erase(user_id)

    async def _publish(self) -> None:
        while True:
            self.drift.publish()
            await asyncio.sleep(PUBLISH_S)
