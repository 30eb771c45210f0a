"""The emitter of items: rows and records of groups of items."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from features.items.catalogue import NAMES
from features.items.risk_score import risk_block
from features.items.row import scalars, title_vector
from features.items.state import ItemState
from features.online.rows import ItemRow
from streams.contract import ITEM_SIGNALS
from streams.records.items.demand_block import demand_block
from streams.records.items.record import encode_item
from streams.records.items.sentiment_block import sentiment_block
from streams.records.outgoing import Outgoing
from streams.worker.publishing.emission import Emission, Instants, Subject, begin


class Risks(Protocol):
    """Whatever is told of the risk of what a worker serves."""

    def published(self, item_id: str, block: dict[str, Any] | None) -> None:
        """Be told of the block `risk` of a record; None for a tombstone, or for an item without a recent review."""


class ItemEmitter:
    """Computes emissions of items.

    Args:
        encoder: identity of the loaded encoder.
        head: identity of the loaded polarity head; empty without one.
        as_of: the as-of instant (ms) of the signals, None for nothing but the item's own newest fact; asked once per
            call of `emit`.
        risks: told of the risk of each item.

    Attributes:
        encoder_down: whether titles are being held back; records then say `degraded`.
        degraded: the same.
    """

    def __init__(self, encoder: str, head: str, as_of: Callable[[], int | None], risks: Risks) -> None:
        self._encoder = encoder
        self._head = head
        self._as_of = as_of
        self._risks = risks
        self._instants = Instants()
        self.encoder_down = False

    @property
    def degraded(self) -> bool:
        """Whether titles lag behind."""
        return self.encoder_down

    def emit(self, groups: Sequence[Sequence[Subject[ItemState]]]) -> list[Emission]:
        """Return what is to be published of each group of items, as their states are now."""
        emitted_at = self._instants.next()
        emissions, living = begin(groups, emitted_at, self._add_tombstone, self._add_tombstone)
        as_of = self._as_of()
        for subject, emission in zip(living.subjects, living.into, strict=True):
            self._add(subject, emission, as_of)
        return emissions

    def _add(self, subject: Subject[ItemState], emission: Emission, as_of: int | None) -> None:
        state, head, encoder, emitted_at = subject.state, self._head, self._encoder, emission.emitted_at
        instant = state.instant(as_of)
        values = scalars(state, instant, head)
        vector = title_vector(state, encoder)
        row = ItemRow(
            item_id=subject.key,
            fence=subject.fence(emitted_at),
            scalars=values,
            title=state.title,
            category=state.category,
            price=state.price,
            title_vector=vector.tobytes(),
            encoder=encoder,
            event_time=instant,
            revision=state.revision,
        )
        named, risk = dict(zip(NAMES, values, strict=True)), risk_block(state, instant)
        self._risks.published(subject.key, risk)
        record = encode_item(
            row,
            named,
            vector.tolist(),
            emitted_at=emitted_at,
            head=head,
            degraded=self.encoder_down,
            sentiment=sentiment_block(state, named, instant, head),
            demand=demand_block(named, instant, *_forecast(state)),
            risk=risk,
        )
        emission.add(ITEM_SIGNALS, Outgoing(subject.key.encode(), record))
        emission.rows.append(row)

    def _add_tombstone(self, emission: Emission, item: Subject[ItemState]) -> None:
        self._risks.published(item.key, None)
        emission.add(ITEM_SIGNALS, Outgoing(item.key.encode(), None))


def _forecast(state: ItemState) -> tuple[Mapping[str, Any] | None, int | None]:
    """Return the forecast that an item keeps, and when it was made, ms."""
    if not state.forecast:
        return None, None
    return msgspec.msgpack.decode(state.forecast), state.forecast_at
