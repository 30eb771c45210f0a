"""Due times: nobody is taken early, nobody is missed, and what is remembered stays small."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from features.tiles import DAY, MINUTE
from streams.worker.applying.due_times import DueTimes

NOW = 1_764_000_000_000
USERS = ["a", "b", "é" * 128, "\x7f"]

schedules = st.tuples(st.sampled_from(USERS), st.integers(0, 30 * MINUTE))
steps = st.lists(st.one_of(schedules, st.integers(1, 10)), max_size=60)


@given(steps)
def test_whoever_is_due_is_taken_within_the_minute_and_never_before(steps: list[tuple[str, int] | int]) -> None:
    due, now = DueTimes(), NOW
    waiting: dict[str, set[int]] = {}
    for step in steps:
        if isinstance(step, tuple):
            user, after = step
            minute = -(-(now + after) // MINUTE)
            due.schedule(user, now + after)
            if minute <= min(waiting.get(user, {minute})):
                waiting.setdefault(user, set()).add(minute)
        else:
            now += step * MINUTE
            expected = sorted(
                (minute, user) for user, minutes in waiting.items() for minute in minutes if minute * MINUTE <= now
            )
            assert due.backlog(now) == len(expected)
            assert due.lateness(now) == (now - expected[0][0] * MINUTE if expected else 0)
            taken = due.take(now, step)
            assert len(taken) == min(step, len(expected))
            for user in taken:
                waiting[user].discard(min(waiting[user]))
            waiting = {user: minutes for user, minutes in waiting.items() if minutes}
            left = [minute for minutes in waiting.values() for minute in minutes if minute * MINUTE <= now]
            assert due.kept_until(now) == ((min(left) - 1) * MINUTE if left else now)
        assert len(due) == sum(map(len, waiting.values()))
    assert sorted(due.take(NOW + DAY, 1000)) == sorted(user for user, minutes in waiting.items() for _ in minutes)
    assert len(due) == 0


def test_a_due_time_within_a_minute_is_reached_at_its_end() -> None:
    due = DueTimes()
    due.schedule("u", NOW + 1)
    end = -(-(NOW + 1) // MINUTE) * MINUTE
    assert due.take(end - 1, 10) == []
    assert (due.take(end, 10), due.kept_until(end)) == (["u"], end)


def test_who_becomes_due_in_a_minute_that_is_reached_waits_too() -> None:
    due = DueTimes()
    assert due.backlog(NOW) == 0
    due.schedule("late", NOW - MINUTE)
    due.schedule("now", NOW)
    due.schedule("soon", NOW + 1)
    assert (due.backlog(NOW), due.lateness(NOW)) == (2, MINUTE)
    assert due.take(NOW, 10) == ["late", "now"]
    assert due.backlog(NOW) == 0


def test_a_user_who_is_only_remembered_as_due_takes_few_bytes() -> None:
    users = 100_000
    tracemalloc.start()
    due = DueTimes()
    for number in range(users):
        # Tiles leave the window of 30 days at midnight.
        due.schedule(f"user-{number:012d}", NOW + number % 30 * DAY)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # 12 for the index, 18 for the id, and what growing arrays hold in reserve; 3 in a small population for the shards.
    assert held / users < 50


def test_who_visits_every_hour_for_a_month_has_few_entries() -> None:
    due, most = DueTimes(), 0
    for hour in range(30 * 24):
        now = NOW + hour * 60 * MINUTE
        for _ in due.take(now, 10):
            due.schedule("u", now + 24 * 60 * MINUTE)
        due.schedule("u", now + 65 * MINUTE)
        most = max(most, len(due))
    assert most <= 3
