"""What is said of items, drawn by Hypothesis, and the facts and states that follow from it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from hypothesis import strategies as st

from features.items.fact import Fact
from features.items.state import ItemState
from features.observation import Kind, Source, to_micros
from support.item_reference import COUNTS, Said
from support.reference import DAY, HOUR

BASE = 1_764_000_123_456
HEAD = "polarity@0123456789ab"
ENCODER = "test@0123456789ab"
ITEM_ID = "i1"
KINDS = {what: Kind[what.upper()] for what in COUNTS.values()}
TITLES = {
    title: None if title == "" else tuple(np.random.default_rng(number).standard_normal(64))
    for number, title in enumerate(["", "Zebra mug", "ebony mug", "Émaillé", "😀 mug", "杯子"])
}

# Instants on and beside every edge that matters, as well as anywhere.
AGES = st.one_of(
    st.integers(0, 40 * DAY),
    st.sampled_from([0, 1, HOUR, DAY, 7 * DAY, 30 * DAY, 31 * DAY]).flatmap(
        lambda edge: st.integers(edge - 2, edge + 2)
    ),
    st.integers(0, 2 * HOUR),
    st.sampled_from([0, 20 * 365 * DAY]),
)
PRICES = st.one_of(st.none(), st.floats(0, 1000), st.sampled_from([0.0, -0.0, 0.1, 29.33, 1e9]))


@st.composite
def said(draw: st.DrawFn) -> Said:
    what = draw(st.sampled_from(list(KINDS)))
    timestamp = BASE - draw(AGES)
    if what == "review":
        noisy = draw(st.booleans())
        polarity = None if noisy else draw(st.one_of(st.none(), st.floats(-1, 1)))
        return Said(what, timestamp, rating=draw(st.floats(1, 5)), noisy=noisy, polarity=polarity)
    price = draw(PRICES)
    title = draw(st.sampled_from([None, *TITLES]))
    return Said(
        what,
        timestamp,
        price=price,
        quantity=1 if price == 1e9 else draw(st.integers(1, 3)),
        title=title,
        vector=None if title is None else TITLES[title],
        category=draw(st.sampled_from([None, "jazz", "rock", "ärger", "𝔸"])),
    )


def fact(one: Said, offset: int, item_id: str = ITEM_ID) -> Fact:
    """The fact of an event at an offset of its topic."""
    review = one.what == "review"
    paid = one.what in ("purchase", "refund") and one.price is not None
    return Fact(
        topic=Source.REVIEWS if review else Source.CLICKS,
        offset=offset,
        item_id=item_id,
        timestamp=one.timestamp,
        kind=KINDS[one.what],
        amount=to_micros(one.rating) if review else to_micros(one.price * one.quantity) if paid else None,
        units=one.quantity if paid and one.what == "purchase" else 0,
        price=one.price,
        title=one.title,
        category=one.category,
        noisy=one.noisy,
        polarity=None if one.polarity is None else to_micros(one.polarity),
    )


def placed(events: Sequence[Said], partitions: Sequence[int]) -> list[tuple[int, Fact]]:
    """Each event's source partition, cycling through the given ones, and its fact: offsets rise as in logs."""
    return [(partitions[offset % len(partitions)], fact(one, offset)) for offset, one in enumerate(events)]


def apply_all(state: ItemState, facts: Iterable[tuple[int, Fact]], head: str = HEAD) -> ItemState:
    """Apply facts, and read each title that waits."""
    for offset, (partition, one) in enumerate(facts):
        state.apply(one, partition, head, offset)
        if state.title is not None and state.title_waits(ENCODER):
            vector = TITLES[state.title]
            state.read_title(state.title, None if vector is None else np.asarray(vector), ENCODER)
    return state
