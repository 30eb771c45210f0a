"""The tiles of a level against a plain list of events."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from features.tiles import HOUR, TileLevel
from features.users import codec
from features.users.state import UserState

LENGTHS = (3 * HOUR, 10 * HOUR)
START = 1_000 * HOUR
ADD, SUMS, STORE = range(3)


def summed(events: list[tuple[int, int, int]], instant: int, length: int) -> list[int]:
    lower = (instant - length) // HOUR
    columns = [0, 0]
    for timestamp, column, amount in events:
        if timestamp // HOUR >= lower:
            columns[column - 1] += amount
    return columns


@settings(deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from([ADD, ADD, ADD, SUMS, STORE]),
            st.integers(0, 30 * HOUR),
            st.integers(1, 2),
            st.integers(-5, 5),
        ),
        max_size=60,
    )
)
def test_windows_are_the_sums_of_the_events_in_them_whatever_came_when(steps: list[tuple[int, int, int, int]]) -> None:
    level, events, newest = TileLevel(HOUR, 3, LENGTHS), [], 0
    for what, ahead, column, amount in steps:
        timestamp = START + ahead
        if what == ADD:
            newest = max(newest, timestamp)
            reached = level.add(timestamp, [(column, 0)], [amount])
            assert reached == (timestamp // HOUR >= (newest - LENGTHS[-1]) // HOUR)
            if reached:
                events.append((timestamp, column, amount))
        elif what == SUMS:
            # A later instant first now and then: the clock may step back to the newest event again.
            instant = max(newest, timestamp)
            assert [sums[1:] for sums in level.sums(instant)] == [summed(events, instant, one) for one in LENGTHS]
        else:
            stored, level = level.flat.copy(), TileLevel(HOUR, 3, LENGTHS)
            level.load(stored)
        assert level.indices == sorted(set(level.indices))
        assert len(level.indices) <= LENGTHS[-1] // HOUR + 1
    assert [sums[1:] for sums in level.sums(newest)] == [summed(events, newest, one) for one in LENGTHS]


def test_what_is_returned_of_one_window_is_not_changed_by_the_next_event() -> None:
    level = TileLevel(HOUR, 3, LENGTHS)
    level.add(START, [(1, 0)], [1])
    before = [sums.copy() for sums in level.sums(START)]
    kept = level.sums(START)
    level.add(START, [(1, 0)], [1])
    assert kept == before


@given(st.integers(0, 10**6))
def test_tiles_that_were_stored_in_the_order_of_their_making_are_put_in_order(seed: int) -> None:
    rng = random.Random(seed)
    tiles = [[START // HOUR + number, number, 2 * number] for number in range(rng.randrange(8))]
    shuffled = rng.sample(tiles, len(tiles))
    level = TileLevel(HOUR, 3, LENGTHS)
    level.load([number for tile in shuffled for number in tile])
    assert level.flat == [number for tile in tiles for number in tile]


def test_a_stored_state_with_tiles_in_disorder_serves_as_one_in_order() -> None:
    ordered, disordered = UserState(), UserState()
    first, second = START // HOUR, START // HOUR + 1
    width = ordered.by_hour.width
    early, late = [first] + [1] * (width - 1), [second] + [2] * (width - 1)
    for state, flat in ((ordered, early + late), (disordered, late + early)):
        state.newest = state.oldest = START + HOUR
        state.by_hour.flat = flat
    assert codec.encode(ordered) != codec.encode(disordered)
    assert codec.encode(codec.decode(codec.encode(disordered))) == codec.encode(ordered)
