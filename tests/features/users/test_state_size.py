"""What orders and titles cost in the bytes of a state, against version 3 of the same events."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from support.reference import Raw
from support.version_3 import as_version_3

from features.users import codec
from features.users.state import UserState

from .test_state import AGES, BASE, VECTORS, observe

ENCODER = "paraphrase-multilingual-MiniLM-L12-v2@0123456789ab"
KINDS = st.sampled_from(["view", "favorite", "cart", "purchase", "remove"])
CLICKS = st.lists(st.tuples(KINDS, AGES, st.integers(0, 80), st.integers(1, 20)), max_size=120)


def state_of(drawn: list[tuple[str, int, int, int]], ordered: bool, titled: bool) -> UserState:
    state = UserState()
    for offset, (what, age, order, quantity) in enumerate(drawn):
        words = {"order_id": str(order) if ordered else None, "title": VECTORS[0] if titled else None}
        event = Raw("clicks", str(offset), what, BASE - age, 9.99, quantity, **words)
        state.apply(observe(event, offset), ENCODER)
    return state


def tiles(state: UserState) -> int:
    return sum(len(level.indices) for level in (state.by_five_minutes, state.by_hour, state.by_day))


@settings(max_examples=60, deadline=None)
@given(CLICKS, st.booleans(), st.booleans())
def test_a_state_costs_no_more_than_the_contract_says(drawn, ordered, titled):
    state = state_of(drawn, ordered, titled)
    more = len(codec.encode(state)) - len(as_version_3(state))
    orders = len({order for what, _, order, _ in drawn if what == "purchase"}) if ordered else 0
    assert more <= 4 * tiles(state) + 24 + 17 * min(orders, 64) + (600 if titled else 0)


def test_a_user_who_only_looks_pays_for_the_columns_alone():
    state = state_of([("view", age * 3_600_000, 0, 1) for age in range(40)], ordered=False, titled=False)
    assert len(codec.encode(state)) - len(as_version_3(state)) <= 4 * tiles(state) + 12
