"""What the items' stage works with: the parts that are made once, and what each assignment makes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from features.items.state import ItemState
from streams.broker.lease import Lease
from streams.broker.letters import Letters
from streams.broker.throttling import Throttle
from streams.contract import ITEM_SIGNALS, items_changelog_name, topic_name
from streams.inference.title_reader import TitleReader
from streams.settings import Settings
from streams.telemetry.metrics import Metrics
from streams.telemetry.tally import Tally
from streams.worker.applying.lane import Lane
from streams.worker.applying.tenure import Terms
from streams.worker.items.emitter import ItemEmitter
from streams.worker.items.fact_handler import FactHandler
from streams.worker.items.item_partition import ItemPartition
from streams.worker.items.workshop import Workshop
from streams.worker.publishing.committer import Outlets
from streams.worker.publishing.online_writer import OnlineWriter
from streams.worker.publishing.rounds import Rounds
from streams.worker.state.local_store import LocalStore


@dataclass(frozen=True, kw_only=True)
class ItemEquipment:
    """The parts that the items' stage works with, made before its engine.

    Attributes:
        settings: of the worker.
        encoder: identity of the loaded encoder.
        letters: where messages go that are none.
        online: where rows go.
        titles: reads titles of items.
        emitter: computes what is published.
        tally, metrics: what is counted.
        throttle: shared by the producers of the assignments.
        clock: the wall clock, ms, by which quiet items become due.
        rounds: where the groups of all partitions meet.
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
    rounds: Rounds[ItemState] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rounds", Rounds(self.emitter))

    def begin(self, terms: Terms) -> ItemTenure:
        """Return what works under a new assignment."""
        return ItemTenure(self, terms)


class ItemTenure:
    """What the items' stage works with under one assignment.

    Args:
        equipment: of the stage.
        terms: of the assignment.
    """

    def __init__(self, equipment: ItemEquipment, terms: Terms) -> None:
        self._equipment = equipment
        self._terms = terms
        settings, tally = equipment.settings, equipment.tally
        self._outlets = Outlets[ItemState](
            changelog=items_changelog_name(settings),
            topics=_Topics(settings),
            publisher=terms.publisher,
            online=equipment.online,
            rounds=equipment.rounds,
            published={ITEM_SIGNALS: tally.signalled},
            stored=lambda _: None,
            lease=terms.lease,
            on_failure=terms.on_failure,
        )
        self._workshop = Workshop(
            encoder=equipment.encoder,
            titles=equipment.titles,
            letters=equipment.letters,
            tally=tally,
            metrics=equipment.metrics,
            slice_facts=settings.lane_slice,
            waiting_titles=settings.waiting_titles,
            on_encoder=terms.on_encoder,
            on_failure=terms.on_failure,
        )
        self._partitions: dict[int, ItemPartition] = {}

    def partition(
        self,
        number: int,
        epoch: int,
        states: LocalStore,
        *,
        first: int,
        cached: Callable[[], int],
        on_applied: Callable[[str, int], None] | None,
    ) -> ItemPartition:
        """Return a partition that is taken over; nothing of it depends on the offset `first`."""
        partition = self._partitions[number] = ItemPartition(
            number,
            epoch,
            states,
            self._outlets,
            workshop=self._workshop,
            cached=cached,
            partitions=self._equipment.settings.partitions,
            on_applied=on_applied,
        )
        return partition

    def lane(self, topic: str, number: int) -> Lane:
        """Return the lane of the facts topic, of a partition that is taken over."""
        partition = self._partitions[number]
        handler = FactHandler(partition, self._equipment.settings.partitions, self._workshop)
        return Lane(f"{topic}-{number}", handler, partition.settled, self._terms.on_failure)


class _Topics:
    """Finds the topic of what is published of items."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def name(self, topic: str, partition: int, lease: Lease) -> str | None:
        """Return the name on the broker of a topic of the contract."""
        return topic_name(self._settings, topic)
