"""A start may take as long as it likes, as long as it gets on; what it waits for is named when it does not."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from streams.exceptions import BrokerError, LocalStateError, StreamsError
from streams.worker.lifecycle import starting as starting_module
from streams.worker.lifecycle.awaited import awaited
from streams.worker.lifecycle.standstill import Standstills
from streams.worker.lifecycle.starting import start_app

CHANGELOG = TP("users-changelog", 2)
PATIENCE_S = 300.0


class Clock:
    """Goes on by a step at each look."""

    def __init__(self, step: float) -> None:
        self._step = step
        self.now = 0.0

    def __call__(self) -> float:
        self.now += self._step
        return self.now


class App:
    """A Faust app as far as its start is looked at: it recovers a record at each look, and then stands still."""

    def __init__(self, records: int = 0, crash: BaseException | None = None) -> None:
        self.consumer_generation_id = 1
        self.crash_reason = crash
        self._crashed = asyncio.Event()
        self._recovered = asyncio.Event()
        self.tables = SimpleNamespace(recovery=self)
        self.in_recovery = bool(records)
        self.active_tps = {CHANGELOG} if records else set()
        self.active_highwaters = {CHANGELOG: 1000}
        self._offset, self._last = 0, records

    @property
    def active_offsets(self) -> dict[TP, int]:
        if not self.in_recovery:
            return {}
        self._offset = min(self._offset + 1, self._last)
        if self._offset == 1000:
            self._recovered.set()
        return {CHANGELOG: self._offset}

    @property
    def crashed(self) -> bool:
        return self._crashed.is_set()

    async def start(self) -> None:
        if self.crash_reason is not None:
            self._crashed.set()
        await self._recovered.wait()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting_module, "POLL_S", 0.0)


async def test_a_recovery_that_moves_may_take_longer_than_the_patience() -> None:
    clock = Clock(step=100)
    await start_app(App(records=1000), PATIENCE_S, explained, clock)
    assert clock.now > 100 * PATIENCE_S


async def test_a_recovery_that_stands_still_ends_the_start_and_says_where() -> None:
    with pytest.raises(BrokerError) as refused:
        await start_app(App(records=17), PATIENCE_S, explained, Clock(step=100))
    line = str(refused.value)
    assert "users-changelog-2 at 17 of 1000, 983 records left in 1 partitions" in line
    assert "no progress for 300 s" in line
    assert "\n" not in line


async def test_a_group_that_assigns_nothing_is_named() -> None:
    with pytest.raises(BrokerError, match=r"^expected the group to assign partitions, found no progress for 300 s"):
        await start_app(App(), PATIENCE_S, explained, Clock(step=100))


async def test_an_app_that_crashes_ends_the_start_with_what_its_reason_means() -> None:
    with pytest.raises(LocalStateError, match="no room: explained"):
        await start_app(App(crash=OSError("no room")), PATIENCE_S, explained)


async def explained(reason: BaseException | None) -> StreamsError:
    return LocalStateError(f"{reason}: explained")


def test_what_follows_a_recovery_is_the_broker_s_word() -> None:
    app: Any = App(records=1000)
    app._offset = 999
    assert awaited(app).what == "the broker to tell the committed offsets and the ends of the logs"


def test_a_thing_stands_still_from_when_it_was_first_seen_there() -> None:
    now = [0.0]
    still = Standstills(lambda: now[0])
    assert still.seconds("a", 1) == 0
    now[0] = 10
    assert still.seconds("a", 1) == 10
    assert still.seconds("b", 1) == 0
    assert still.seconds("a", 2) == 0
    now[0] = 30
    assert still.seconds("a", 2) == 20
    assert still.seconds("a", 2, well=True) == 0
    now[0] = 35
    assert still.seconds("a", 2) == 5
    assert still.seconds("b", 1) == 25
    still.keep(["a"])
    assert still.seconds("b", 1) == 0
    still.forget("a")
    assert still.seconds("a", 2) == 0
