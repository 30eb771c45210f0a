"""Net spend, by which every forecast of spend is judged."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from features.observation import Kind, Observation, Source, event_key, source_of
from streams.net_spend import net_amount, net_spend

KINDS = st.sampled_from(list(Kind))
AMOUNTS = st.none() | st.integers(0, 10**15)
MOVES = st.lists(st.tuples(st.integers(0, 100), st.integers(-(10**15), 10**15)))


def seen(kind: Kind, amount: int | None) -> Observation:
    return Observation(int(kind), int(source_of(kind)), 1, 0, event_key("e"), amount=amount)


@given(kind=KINDS, amount=AMOUNTS)
def test_purchases_add_refunds_take_off_and_nothing_else_counts(kind: Kind, amount: int | None) -> None:
    sign = {Kind.PURCHASE: 1, Kind.REFUND: -1}.get(kind, 0)
    assert net_amount(seen(kind, amount)) == sign * (amount or 0)
    assert source_of(kind) in Source


@given(moves=MOVES, begin=st.integers(0, 100), length=st.integers(0, 50), seed=st.integers())
def test_it_is_what_lies_after_the_begin_up_to_the_end_in_any_order_and_never_negative(
    moves: list[tuple[int, int]], begin: int, length: int, seed: int
) -> None:
    end = begin + length
    found = net_spend(moves, begin, end)
    assert found == max(0, sum(amount for at, amount in moves if at in range(begin + 1, end + 1))) / 1e6
    assert found == net_spend(random.Random(seed).sample(moves, len(moves)), begin, end)
    assert net_spend(moves, begin, begin) == 0
