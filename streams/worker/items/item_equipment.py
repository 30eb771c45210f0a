"""The equipment of the stage of items, and what it makes for their partitions and lanes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from features.items.state import ItemState
from streams.broker.lease import Lease
from streams.broker.letters import Letters
from streams.broker.publisher import Publisher
from streams.broker.throttling import Throttle
from streams.contract import ITEM_SIGNALS, items_changelog_name, topic_name
from streams.inference.title_reader import TitleReader
from streams.settings import Settings
from streams.telemetry.metrics import Metrics
from streams.telemetry.tally import Tally
from streams.worker.applying.lane import Handler
from streams.worker.applying.partition import Partition
from streams.worker.items.emitter import ItemEmitter
from streams.worker.items.fact_handler import FactHandler
from streams.worker.items.item_partition import ItemPartition
from streams.worker.items.workshop import Workshop
from streams.worker.publishing.committer import Outlets
from streams.worker.publishing.online_writer import OnlineWriter
from streams.worker.publishing.rounds import Rounds
from streams.worker.state.local_store import LocalStore


@dataclass(kw_only=True)
class ItemEquipment:
    """The parts that the engine of items works with (see `streams.worker.equipment`).

    Attributes:
        settings: of the stage.
        encoder: identity of the loaded encoder.
        letters: where messages go that are none.
        online: where rows go.
        titles: reads titles of items.
        emitter: computes what is published.
        tally, metrics: what is counted.
        throttle: shared by the producers of the assignments.
        clock: the wall clock, ms, by which quiet items become due.
    """

    settings: Settings
    encoder: str
    letters: Letters
    online: OnlineWriter
    titles: TitleReader
    emitter: ItemEmitter
    tally: Tally
    metrics: Metrics
    throttle: Throttle
    clock: Callable[[], int]
    _waiting_for_encoder: set[object] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._rounds = Rounds[ItemState](self.emitter)
        self._topics = _Topics(self.settings)

    @property
    def cached(self) -> int:
        """Live states kept decoded, in all partitions together."""
        return self.settings.cached_users

    @property
    def encoder_down(self) -> bool:
        """Whether titles wait for an encoder that does not work."""
        return self.emitter.encoder_down

    def outlets(
        self, publisher: Publisher, lease: Lease, on_failure: Callable[[BaseException], None]
    ) -> Outlets[ItemState]:
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

    def partition(
        self,
        number: int,
        epoch: int,
        states: LocalStore,
        outlets: Outlets[Any],
        *,
        cached: Callable[[], int],
        begins: Mapping[str, int],
        on_applied: Callable[[str, int], None] | None,
    ) -> ItemPartition:
        """Return the items of a partition that is taken over."""
        workshop = Workshop(
            encoder=self.encoder,
            titles=self.titles,
            metrics=self.metrics,
            waiting_titles=self.settings.waiting_titles,
            on_encoder=self._encoder_changed,
            on_failure=outlets.on_failure,
        )
        return ItemPartition(
            number,
            epoch,
            states,
            outlets,
            workshop=workshop,
            cached=cached,
            partitions=self.settings.partitions,
            on_applied=on_applied,
        )

    def handler(
        self,
        topic: str,
        partition: Partition[Any],
        hold: Callable[[int, int | None], None],
        on_failure: Callable[[BaseException], None],
    ) -> Handler:
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

    def _encoder_changed(self, lane: object, down: bool) -> None:
        (self._waiting_for_encoder.add if down else self._waiting_for_encoder.discard)(lane)
        self.emitter.encoder_down = bool(self._waiting_for_encoder)


def _untold(_: object) -> None:
    """Nobody is told of the rows that the store took: how old facts are, the lag of their topic tells."""


class _Topics:
    """Finds the topic of what is published of items."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def name(self, topic: str, partition: int, lease: Lease) -> str | None:
        """Return the name on the broker of a topic of the contract."""
        return topic_name(self._settings, topic)
