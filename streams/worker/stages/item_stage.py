"""The stage of items: facts become states of items, rows and signals."""

from __future__ import annotations

import asyncio
from typing import Any

from prometheus_client import Counter

from streams.broker.letters import Letters
from streams.inference.loading import Inference
from streams.inference.title_reader import TitleReader
from streams.worker.applying.held_partitions import HeldPartitions
from streams.worker.engine import Engine
from streams.worker.items.emitter import ItemEmitter
from streams.worker.items.item_equipment import ItemEquipment
from streams.worker.items.item_partition import ItemPartition
from streams.worker.items.risk_watch import RiskWatch
from streams.worker.republishing.republishing import Republisher
from streams.worker.stages.stage import Stage


class ItemStage(Stage):
    """The items of a worker.

    Attributes:
        republisher: publishes every item again.
    """

    engine: Engine[ItemEquipment]
    republisher: Republisher
    _risks: RiskWatch

    @property
    def republished(self) -> Counter:
        """Counts items."""
        return self.shared.metrics.republished_items

    def watch(self, held: HeldPartitions[Any]) -> None:
        """Make what counts the items whose reviews are odd; no model is judged by what is served of items."""
        self._risks = RiskWatch(self.shared.metrics)

    def released(self) -> None:
        """Have the watch forget the items: others publish them now."""
        self._risks.released()

    def equip(self, inference: Inference, titles: TitleReader, letters: Letters) -> None:
        """Equip the engine with models and outlets: from now on it takes partitions over."""
        settings, shared, engine = self.settings, self.shared, self.engine
        head = "" if inference.sentiment is None else inference.sentiment.identity
        self.republisher = Republisher(
            lambda: engine.partitions,
            settings.partitions,
            settings.refresh_users_per_s,
            self.republished,
            shared.on_failure,
            self.spec.name,
        )
        equipment = ItemEquipment(
            settings=settings,
            encoder=inference.encoder,
            letters=letters,
            online=self.online,
            titles=titles,
            emitter=ItemEmitter(inference.encoder, head, self.as_of, self._risks),
            tally=shared.tally,
            metrics=shared.metrics,
            throttle=shared.throttle,
            clock=shared.clock,
        )
        engine.equip(equipment)

    async def titles_settled(self) -> None:
        """Wait until the titles of all items are read, and what came of them is published.

        A rebalance in between begins it anew: whoever takes a partition over looks through its items.
        """
        held = self.engine.held
        while True:
            partitions = await held.some()
            await asyncio.gather(*(one.titles.rest() for one in partitions.values() if isinstance(one, ItemPartition)))
            if partitions == held.partitions:
                # Waited for, not awaited: they are cancelled with their partition.
                await asyncio.wait([one.settled() for one in partitions.values()])
            if partitions == held.partitions:
                return

    def start_production(self) -> None:
        """Begin nothing: no model is judged by what is served of items."""

    async def stop_production(self) -> None:
        """Publish nothing again any more."""
        if self.engine.equipped:
            await self.republisher.stop()
