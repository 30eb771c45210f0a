"""The stage of users: events become states of users, rows and scores."""

from __future__ import annotations

from prometheus_client import Counter

from features.users.state import UserState
from streams.broker.letters import Letters
from streams.inference.active_capacity import PURPOSE
from streams.inference.loading import Inference
from streams.inference.text_reader import TextReader
from streams.inference.title_reader import TitleReader
from streams.log import log
from streams.worker.applying.held_partitions import HeldPartitions
from streams.worker.engine import Engine
from streams.worker.production.model_watch import Production
from streams.worker.production.served_watch import ServedWatch
from streams.worker.stages.stage import Stage
from streams.worker.users.emitter import Emitter
from streams.worker.users.user_equipment import UserEquipment


class UserStage(Stage):
    """The users of a worker.

    Attributes:
        production: the models at work, once there are some.
    """

    engine: Engine[UserEquipment]
    production: Production
    _watch: ServedWatch

    @property
    def republished(self) -> Counter:
        """Counts users."""
        return self.shared.metrics.republished

    def watch(self, held: HeldPartitions[UserState]) -> None:
        """Make what feeds shadow, drift, fit and calibration."""
        shared = self.shared
        self._watch = ServedWatch(self.settings, held, shared.metrics, shared.clock, shared.on_failure)

    def released(self) -> None:
        """Have the watch forget what it keeps of users: their erasures are not heard of any more."""
        self._watch.released()

    def equip(self, inference: Inference, titles: TitleReader, letters: Letters) -> None:
        """Equip the engine with models and outlets: from now on it takes partitions over."""
        settings, shared = self.settings, self.shared
        self.production = Production(
            settings,
            inference,
            self.engine,
            self._watch,
            shared.tally,
            shared.metrics,
            shared.on_failure,
        )
        if inference.estimating is not None:
            log.warning(PURPOSE, scorer=inference.estimating.version, fitted=inference.estimating.fitted)
        reader = TextReader(inference.batcher, inference.projection, inference.sentiment)
        equipment = UserEquipment(
            settings=settings,
            inference=inference,
            letters=letters,
            online=self.online,
            reader=reader,
            titles=titles,
            emitter=Emitter(inference.encoder, inference.scoring, self.as_of, self._watch, inference.estimating),
            tally=shared.tally,
            metrics=shared.metrics,
            throttle=shared.throttle,
            clock=shared.clock,
        )
        self.engine.equip(equipment)

    def start_production(self) -> None:
        """Begin to watch models."""
        self.production.start()

    async def stop_production(self) -> None:
        """Watch models no more."""
        if self.engine.equipped:
            await self.production.stop()
