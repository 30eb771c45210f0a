"""What would be served of an item as of any instant: its facts, folded in the order of time by the code that serves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.items.fact import Fact
from features.items.row import scalars, title_vector
from features.items.state import ItemState
from features.row import Value

ONE_PARTITION = 0
"""In a history the facts of an item come from one partition: their places are those in the order of time."""


class ItemSnapshot(NamedTuple):
    """The features of an item at an instant: scalars in the order of `SCALARS`, and the title's vector, float32[64]."""

    instant: int
    revision: int
    scalars: tuple[Value, ...]
    title: str | None
    category: str | None
    price: float | None
    title_vector: NDArray[np.float32]


def item_snapshots(
    facts: Iterable[Fact],
    instants: Sequence[int],
    head: str,
    encoder: str,
    titles: Mapping[str, NDArray[np.float64] | None],
) -> Iterator[ItemSnapshot]:
    """Yield the features of one item at each instant (ms) by which it has a fact.

    Args:
        facts: all of the item's, in any order.
        instants: T of each snapshot, rising; a snapshot covers every fact with timestamp <= T.
        head: identity of the polarity head that judged the texts; empty without one.
        encoder: identity of the encoder that has read the titles.
        titles: float64[64], the projected embedding of each title; None for one that says nothing.
    """
    state = ItemState()
    in_time = sorted(facts, key=lambda fact: fact.timestamp)
    coming = iter(enumerate(in_time))
    following = next(coming, None)
    for instant in instants:
        while following is not None and following[1].timestamp <= instant:
            place, fact = following
            state.apply(msgspec.structs.replace(fact, offset=place), ONE_PARTITION, head, place)
            following = next(coming, None)
        if state.revision:
            yield _snapshot(state, instant, head, encoder, titles)


def _snapshot(
    state: ItemState, instant: int, head: str, encoder: str, titles: Mapping[str, NDArray[np.float64] | None]
) -> ItemSnapshot:
    if state.title is not None and state.title_waits(encoder):
        state.read_title(state.title, titles[state.title], encoder)
    row, vector = scalars(state, instant, head), title_vector(state, encoder)
    return ItemSnapshot(instant, state.revision, row, state.title, state.category, state.price, vector)
