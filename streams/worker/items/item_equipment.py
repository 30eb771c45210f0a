"""The equipment of the stage of items, and what it makes for their partitions and lanes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from features.items.state import ItemState
from streams.broker.lease import Lease
from streams.broker.publisher import Publisher
from streams.contract import ITEM_SIGNALS, items_changelog_name, topic_name
from streams.settings import Settings
from streams.worker.applying.lane import Handler
from streams.worker.applying.partition import Partition
from streams.worker.equipment import Equipment, Failing, Hold, TakeOver
from streams.worker.items.emitter import ItemEmitter
from streams.worker.items.fact_handler import FactHandler
from streams.worker.items.item_partition import ItemPartition
from streams.worker.items.workshop import Workshop
from streams.worker.publishing.outlets import Outlets
from streams.worker.publishing.rounds import Rounds


@dataclass(kw_only=True)
class ItemEquipment(Equipment):
    """The parts that the engine of items works with.

    Attributes:
        encoder: identity of the loaded encoder.
        emitter: computes rows and signals.
    """

    encoder: str
    emitter: ItemEmitter

    def __post_init__(self) -> None:
        self._rounds = Rounds[ItemState](self.emitter)
        self._topics = _Topics(self.settings)

    def outlets(self, publisher: Publisher, lease: Lease, on_failure: Failing) -> Outlets[ItemState]:
        """Return where the items of an assignment go."""
        return Outlets(
            changelog=items_changelog_name(self.settings),
            topics=self._topics,
            publisher=publisher,
            online=self.online,
            rounds=self._rounds,
            published={ITEM_SIGNALS: self.tally.signalled},
            stored=_untold,
            lease=lease,
            on_failure=on_failure,
        )

    def partition(self, taken: TakeOver) -> ItemPartition:
        """Return the items of a partition that is taken over."""
        workshop = Workshop(
            encoder=self.encoder,
            titles=self.titles,
            metrics=self.metrics,
            waiting_titles=self.settings.waiting_titles,
            on_encoder=self.encoder_changed,
            on_failure=taken.outlets.on_failure,
        )
        return ItemPartition(
            taken.number,
            taken.epoch,
            taken.states,
            taken.outlets,
            workshop=workshop,
            cached=taken.cached,
            partitions=self.settings.partitions,
            on_applied=taken.on_applied,
        )

    def handler(self, topic: str, partition: Partition[Any], hold: Hold, on_failure: Failing) -> Handler:
        """Return what handles the facts of a partition."""
        if not isinstance(partition, ItemPartition):
            raise TypeError(f"expected a partition of items, found one of {partition.entity.name}s")
        return FactHandler(
            partition,
            letters=self.letters,
            tally=self.tally,
            metrics=self.metrics,
            partitions=self.settings.partitions,
            slice_facts=self.settings.lane_slice,
        )


def _untold(_: object) -> None:
    """Nobody is told of the rows that the store took: how old facts are, the lag of their topic tells."""


class _Topics:
    """Finds the topic of what is published of items."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def name(self, topic: str, partition: int, lease: Lease) -> str | None:
        """Return the name on the broker of a topic of the contract."""
        return topic_name(self._settings, topic)
