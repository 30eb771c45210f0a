from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from features.observation import Kind, Observation, Source
from features.tiles import DAY, HOUR, MINUTE
from features.users import row
from features.users.catalogue import NAMES
from features.users.state import UserState
from features.window_exits import due_of_event, next_due

BASE = 1_764_000_123_456


def state_of(ages: list[int]) -> UserState:
    state = UserState()
    for offset, age in enumerate(sorted(ages, reverse=True)):
        seen = Observation(
            kind=Kind.VIEW,
            source=Source.CLICKS,
            offset=offset,
            timestamp=BASE - age,
            event_key=offset.to_bytes(8),
            amount=10**6,
        )
        state.apply(seen, "")
    return state


def windowed(state: UserState, instant: int) -> tuple[object, ...]:
    """All scalars but those that grow with every millisecond."""
    values = dict(zip(NAMES, row.scalars(state, instant), strict=True))
    return tuple(values[name] for name in NAMES if name not in ("tenure_days", "days_since_last_purchase"))


@given(st.lists(st.integers(0, 35 * DAY), min_size=1, max_size=12), st.integers(0, 40 * DAY))
@settings(max_examples=150, deadline=None)
def test_between_two_due_times_no_windowed_feature_changes_and_at_each_one_does(ages, later):
    state = state_of(ages)
    instant = BASE + later
    due = next_due(state, instant)
    assert due is not None
    assert due > instant
    before = windowed(state, instant)
    assert windowed(state, due - 1) == before
    if due < state.newest + 32 * DAY:
        assert windowed(state, due) != before


@given(st.integers(0, 40 * DAY), st.integers(0, 40 * DAY))
def test_the_due_time_of_a_single_event_is_that_of_its_user(age, later):
    state = state_of([age])
    assert due_of_event(BASE - age, BASE + later) == next_due(state, BASE + later)


def test_a_user_whose_tiles_have_all_left_is_due_at_growing_intervals_of_quiet():
    state = state_of([0])
    day, dues, instant = BASE + 32 * DAY, [], BASE + 32 * DAY
    for _ in range(4):
        instant = next_due(state, instant)
        dues.append((instant - BASE) / DAY)
    assert dues == [60, 120, 240, 480]
    assert day < BASE + 60 * DAY


def test_an_event_just_applied_is_due_when_its_five_minutes_leave_the_hour():
    due = due_of_event(BASE, BASE)
    assert HOUR < due - BASE <= HOUR + 5 * MINUTE
    assert due % (5 * MINUTE) == 0


def test_a_user_without_events_is_never_due():
    assert next_due(UserState(), BASE) is None
