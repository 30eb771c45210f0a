"""The cache of live states: bounded, keeps who is seen, and never lets go of a state that only it holds in full."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from features.users.state import UserState
from streams.worker.applying.live_states import LiveStates

USERS = [f"u{number}" for number in range(30)]


@given(
    limit=st.integers(1, 20),
    calls=st.lists(st.tuples(st.sampled_from(USERS), st.booleans()), max_size=200),
)
def test_busy_users_stay_the_very_same_state_and_the_rest_is_bounded(limit: int, calls: list[tuple[str, bool]]) -> None:
    busy: dict[str, UserState] = {}
    live = LiveStates(lambda: limit, busy.keys)
    for user, stays_busy in calls:
        state = live.get(user)
        assert user not in busy or state is busy[user]
        if state is None:
            state = UserState()
            live.put(user, state)
        assert live.get(user) is state
        if stays_busy:
            busy[user] = state
        else:
            busy.pop(user, None)
        users = live.keys()
        assert len(users) == len(set(users))
        assert set(busy) <= set(users)
        # Busy users that an earlier turn of generations kept may have come to rest since.
        assert len(users) <= max(2, limit) + len(USERS)


def test_without_busy_users_no_more_than_the_limit_are_kept() -> None:
    live = LiveStates(lambda: 10, lambda: ())
    for number in range(100):
        live.put(f"u{number}", UserState())
        assert len(live.keys()) <= 10


def test_who_was_seen_within_the_last_generation_is_kept() -> None:
    live = LiveStates(lambda: 10, lambda: ())
    regular = UserState()
    live.put("regular", regular)
    for number in range(100):
        live.put(f"u{number}", UserState())
        assert number % 4 or live.get("regular") is regular


@given(
    limits=st.lists(st.integers(1, 20), min_size=1, max_size=10),
    calls=st.lists(st.tuples(st.sampled_from(USERS), st.booleans()), max_size=200),
)
def test_a_limit_that_moves_is_kept_within_one_generation(limits: list[int], calls: list[tuple[str, bool]]) -> None:
    now, busy = [limits[0]], dict[str, UserState]()
    live = LiveStates(lambda: now[0], busy.keys)
    for number, (user, stays_busy) in enumerate(calls):
        now[0] = limits[number * len(limits) // len(calls)]
        state = live.get(user)
        assert user not in busy or state is busy[user]
        if state is None:
            live.put(user, state := UserState())
        if stays_busy:
            busy[user] = state
        else:
            busy.pop(user, None)
        assert set(busy) <= set(live.keys())


def test_users_beyond_a_limit_that_fell_go_with_the_next_generation_and_those_seen_last_stay() -> None:
    limit = [100]
    live = LiveStates(lambda: limit[0], lambda: ())
    for number in range(80):
        live.put(f"u{number}", UserState())
    limit[0] = 10
    live.put("new", UserState())
    assert live.keys() == [*(f"u{number}" for number in range(75, 80)), "new"]
