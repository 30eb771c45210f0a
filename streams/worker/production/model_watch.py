"""Models in production: new artefacts taken over, a shadow beside the live one, drift, and live calibration."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from streams.exceptions import ConfigurationError
from streams.inference.active_capacity import Estimating
from streams.inference.active_scorer import Scoring
from streams.inference.loading import Inference, artefact_folder
from streams.settings import Settings
from streams.tasks import Tasks
from streams.telemetry.metrics import Metrics
from streams.telemetry.tally import Tally
from streams.worker.engine import Engine
from streams.worker.production.artefact_watch import ArtefactWatch
from streams.worker.production.known_categories import KnownCategories
from streams.worker.production.served_watch import ServedWatch
from streams.worker.republishing.refreshing import Refresher
from streams.worker.republishing.republishing import Republisher
from streams.worker.users.user_equipment import UserEquipment

PUBLISH_S: Final = 15.0
"""How often drift is computed: about as often as it is scraped."""


class Production:
    """Watches the models of a running worker, and swaps the live one.

    Args:
        settings: of the worker.
        inference: what it began with.
        engine: whose scorer is swapped.
        watch: told by that engine of what is served.
        tally: counts the events that name a category.
        metrics: where everything is published.
        on_failure: told of an error that ends any of it.

    Attributes:
        live, shadow_watch, capacity_watch: on the folders; `shadow_watch` is None where no shadow is set,
            `capacity_watch` where no capacity is estimated.
        republisher: publishes every user again when asked to.
    """

    def __init__(
        self,
        settings: Settings,
        inference: Inference,
        engine: Engine[UserEquipment],
        watch: ServedWatch,
        tally: Tally,
        metrics: Metrics,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._engine = engine
        self._metrics = metrics
        self._poll_s = settings.artefact_poll_s
        rate = settings.refresh_users_per_s
        self._refresher = Refresher(lambda: engine.partitions, rate, metrics, on_failure)
        self.republisher = Republisher(
            lambda: engine.partitions, settings.partitions, rate, metrics.republished, on_failure, "users"
        )
        self._tasks = Tasks("drift", on_failure)
        self._watch = watch
        self._categories = KnownCategories(tally)
        shadow = watch.shadow
        self.live = ArtefactWatch(
            "live",
            artefact_folder(settings),
            accept=inference.read,
            current=lambda: engine.equipment.emitter.scoring.version,
            take=self._swap,
            metrics=metrics,
            on_failure=on_failure,
        )
        self.shadow_watch: ArtefactWatch[Scoring] | None = None
        if settings.shadow_artefact:
            if not Path(settings.shadow_artefact).is_dir():
                raise ConfigurationError(
                    f"WHEREWITHAL_SHADOW_ARTEFACT: expected a folder, found none at {settings.shadow_artefact}; "
                    "make it, and put the scorer there when it is ready"
                )
            self.shadow_watch = ArtefactWatch(
                "shadow",
                Path(settings.shadow_artefact),
                accept=inference.read,
                current=lambda: None if shadow.scoring is None else shadow.scoring.version,
                take=shadow.use,
                metrics=metrics,
                on_failure=on_failure,
            )
        self.capacity_watch: ArtefactWatch[Estimating] | None = None
        if inference.estimating is not None:
            first = inference.estimating
            self.capacity_watch = ArtefactWatch(
                "capacity",
                Path(settings.capacity_artefact),
                accept=inference.read_capacity,
                current=lambda: (engine.equipment.emitter.estimating or first).version,
                take=self._swap_capacity,
                metrics=metrics,
                on_failure=on_failure,
            )

    def start(self) -> None:
        """Watch until stopped."""
        self._watch.start(self._engine.equipment.emitter.scoring, self._judged)
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
        await self._watch.stop()

    def judge(self) -> bool:
        """Judge by all that was served since the start whether the scorer fits the shop.

        Returns:
            Whether records tell different verdicts, because it changed on the way.
        """
        self._watch.drift.publish()
        self._watch.fit.judge(afresh=True)
        return self._watch.fit.changed

    def reload(self) -> None:
        """Read the artefact folders now."""
        for watch in self._watches():
            watch.ask()

    def _watches(self) -> list[ArtefactWatch[Any]]:
        return [watch for watch in (self.live, self.shadow_watch, self.capacity_watch) if watch is not None]

    def _swap(self, scoring: Scoring) -> None:
        before = self._engine.equipment.emitter.scoring
        self._engine.equipment.swap(scoring)
        self._metrics.model.remove(before.version, before.model["encoder"])
        self._metrics.model.labels(scoring.version, scoring.model["encoder"]).set(1)
        self._watch.use(scoring, self._judged)
        self._categories.begin()
        self._refresher.begin()

    def _swap_capacity(self, estimating: Estimating) -> None:
        before = self._engine.equipment.emitter.estimating
        self._engine.equipment.swap_capacity(estimating)
        if before is not None:
            self._metrics.capacity_model.remove(before.version, before.model["encoder"])
        self._metrics.capacity_model.labels(estimating.version, estimating.model["encoder"]).set(1)
        self._refresher.begin()

    def _judged(self, scoring: Scoring) -> None:
        """Have the records tell whether the scorer fits; nobody is published for that alone."""
        self._engine.equipment.emitter.scoring = scoring

    async def _publish(self) -> None:
        while True:
            self._watch.drift.publish()
            self._watch.fit.judge()
            self._categories.look(self._engine.equipment.emitter.scoring.version)
            await asyncio.sleep(PUBLISH_S)
