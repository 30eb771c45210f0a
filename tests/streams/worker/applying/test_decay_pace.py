"""The pace of the clock's scores: nobody waits for a timer, live events never for more than a slice, and a clock that
was wrong is forgotten once it is right."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from support.patience import PATIENCE_S

from features.observation import Kind, Observation, Source
from features.tiles import DAY, HOUR, MINUTE
from features.users.codec import encode
from features.users.entity import USER
from features.users.state import UserState
from streams.telemetry.metrics import Metrics
from streams.worker.applying import decay
from streams.worker.applying.decay import SLICE_KEYS, Decay
from streams.worker.applying.due_times import DueTimes

NOW = 1_764_000_000_000
NUMBER = 3


class Quiet:
    """A partition of users who did one thing each, and nothing since; it settles when told to."""

    number = NUMBER

    def __init__(self, last_seen: dict[str, int], kept_until: int) -> None:
        self.kept_until = kept_until
        self.touched: list[str] = []
        self.settling = asyncio.Event()
        self.settles_at_once = False
        self.states = self
        self.entity = USER
        self.users = {}
        for user_id, timestamp in last_seen.items():
            state = self.users[user_id] = UserState()
            state.apply(Observation(Kind.VIEW, Source.CLICKS, 1, timestamp, b"12345678"), "")

    def touch(self, user_id: str, state: UserState) -> None:
        self.touched.append(user_id)

    async def settled(self) -> None:
        if not self.settles_at_once:
            await self.settling.wait()
            self.settling.clear()

    def busy(self) -> set[str]:
        return set()

    def keep_until(self, instant: int) -> None:
        self.kept_until = instant

    def state_of(self, user_id: str) -> UserState:
        return self.users[user_id]

    def items(self, number: int) -> Iterator[tuple[bytes, bytes]]:
        return ((user_id.encode(), encode(state)) for user_id, state in self.users.items())


class Run:
    """A decay at work on a partition, under a clock that moves when told to."""

    def __init__(self, last_seen: dict[str, int], kept_until: int = 0) -> None:
        self.now = NOW
        self.partition = Quiet(last_seen, kept_until)
        self.metrics = Metrics()
        self.errors: list[BaseException] = []
        partition: Any = self.partition
        self.decay = Decay(partition, DueTimes(), lambda: self.now, self.metrics, self.errors.append)

    async def until_touched(self, users: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while len(self.partition.touched) < users:
                assert not self.errors
                await asyncio.sleep(0.001)

    def gauge(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(
            f"wherewithal_decay_{name}", {"stage": "users", "partition": str(NUMBER)}
        )


@pytest.fixture
async def begin() -> AsyncIterator[Any]:
    runs: list[Run] = []

    def start(*args: Any, **settled: bool) -> Run:
        run = Run(*args)
        run.partition.settles_at_once = settled.get("settles_at_once", True)
        runs.append(run)
        run.decay.start()
        return run

    yield start
    for run in runs:
        run.decay.stop()


async def test_slice_follows_slice_as_soon_as_the_one_before_is_published(begin, monkeypatch):
    monkeypatch.setattr(decay, "POLL_S", 3600.0)
    run = begin({f"u{number}": NOW - 3 * HOUR for number in range(3 * SLICE_KEYS + 1)}, settles_at_once=False)
    for slices in (1, 2, 3):
        await run.until_touched(slices * SLICE_KEYS)
        # However long these take, nobody is put in front of live events meanwhile.
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(run.partition.touched) == slices * SLICE_KEYS
        assert run.gauge("backlog_keys") == (3 - slices) * SLICE_KEYS + 1
        run.partition.settling.set()
    await run.until_touched(3 * SLICE_KEYS + 1)
    assert run.gauge("backlog_keys") == 0


async def test_how_late_the_longest_due_user_is_shows_until_nobody_is_late(begin):
    due = (NOW // HOUR + 1) * HOUR
    users = {f"u{number}": due - DAY - 1 for number in range(SLICE_KEYS + 1)}
    run = begin(users, due - MINUTE, settles_at_once=False)
    run.now = due + 10 * MINUTE
    await run.until_touched(SLICE_KEYS)
    assert run.gauge("lateness_seconds") == 600.0
    run.partition.settling.set()
    await run.until_touched(SLICE_KEYS + 1)
    assert run.gauge("lateness_seconds") == 0.0


async def test_a_restart_is_not_to_forget_who_is_still_due(begin):
    due = NOW // MINUTE * MINUTE
    run = begin({f"u{number}": NOW - 3 * HOUR for number in range(SLICE_KEYS + 1)}, settles_at_once=False)
    await run.until_touched(SLICE_KEYS)
    run.partition.settling.set()
    await run.until_touched(SLICE_KEYS + 1)
    assert run.partition.kept_until < due, "one of them was not published"
    run.partition.settling.set()
    async with asyncio.timeout(PATIENCE_S):
        while run.partition.kept_until != NOW:
            await asyncio.sleep(0.001)


async def test_a_partition_that_left_has_no_gauges(begin):
    run = begin({"u": NOW - 3 * HOUR})
    await run.until_touched(1)
    assert run.gauge("backlog_keys") is not None
    run.decay.stop()
    assert (run.gauge("backlog_keys"), run.gauge("lateness_seconds")) == (None, None)


async def test_users_kept_up_to_an_instant_to_come_are_due_all_the_same(begin):
    run = begin({"u": NOW - 30 * MINUTE}, NOW + 365 * DAY)
    assert run.partition.kept_until == NOW
    run.now = NOW + HOUR
    await run.until_touched(1)


async def test_a_clock_that_is_put_right_leaves_nothing_of_its_error(begin, monkeypatch):
    monkeypatch.setattr(decay, "POLL_S", 0.005)
    run = begin({"u": NOW - 30 * MINUTE}, NOW)
    run.now = NOW + 365 * DAY
    await run.until_touched(1)
    async with asyncio.timeout(PATIENCE_S):
        while run.partition.kept_until < NOW + 364 * DAY:
            await asyncio.sleep(0.001)
    run.now = NOW + MINUTE
    async with asyncio.timeout(PATIENCE_S):
        while run.partition.kept_until > NOW + MINUTE:
            await asyncio.sleep(0.001)
    assert len(run.partition.touched) == 1
    run.now = NOW + HOUR
    await run.until_touched(2)
