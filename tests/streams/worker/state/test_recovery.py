"""A recovery: tied to its assignment, and no error in it is passed over."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import IllegalStateError, KafkaError, NodeNotReadyError
from faust.tables.recovery import Recovery, ServiceStopped
from faust.types import TP

from features.exceptions import StateFormatError
from streams.exceptions import BrokerError, StreamsError
from streams.worker.state.recovery import TiedRecovery

SERIAL = 7


def recovery(monkeypatch: pytest.MonkeyPatch, answer: Any) -> tuple[TiedRecovery, list[Any], list[BaseException]]:
    """The recovery of assignment 7; what it had taken over, and what it crashed the app with."""
    taken: list[Any] = []
    crashes: list[BaseException] = []

    async def crash(error: BaseException) -> None:
        crashes.append(error)

    async def take_over(serial: int, numbers: set[int]) -> bool:
        taken.append((serial, numbers))
        if isinstance(answer, BaseException):
            raise answer
        return bool(answer)

    async def completed(self: Recovery, generation_id: int = 0) -> None:
        taken.append("delivers")

    monkeypatch.setattr(Recovery, "on_recovery_completed", completed)
    made = TiedRecovery.__new__(TiedRecovery)
    made.app = SimpleNamespace(consumer_generation_id=SERIAL, crash=crash)
    made._generation_id = SERIAL
    made.active_tps = {TP("changelog", 1), TP("changelog", 2)}
    made.take_over = take_over
    made.begin_delivery = lambda serial: taken.append(("begins", serial))
    return made, taken, crashes


async def test_events_are_delivered_once_the_partitions_are_taken_over(monkeypatch) -> None:
    made, taken, crashes = recovery(monkeypatch, True)
    await made.on_recovery_completed(SERIAL)
    assert taken == [(SERIAL, {1, 2}), "delivers", ("begins", SERIAL)]
    assert not crashes


async def test_nothing_is_delivered_to_an_assignment_that_has_ended_meanwhile(monkeypatch) -> None:
    made, taken, _ = recovery(monkeypatch, False)
    await made.on_recovery_completed(SERIAL)
    assert taken == [(SERIAL, {1, 2})]


@pytest.mark.parametrize("behind", ["_generation_id", "consumer_generation_id"])
async def test_the_end_of_an_earlier_recovery_takes_nothing_over(monkeypatch, behind) -> None:
    made, taken, _ = recovery(monkeypatch, True)
    setattr(made if behind == "_generation_id" else made.app, behind, SERIAL + 1)
    await made.on_recovery_completed(SERIAL)
    assert taken == []


@pytest.mark.parametrize(
    "error",
    [
        NodeNotReadyError(),
        StateFormatError("expected state of version 1, found version 9"),
        BrokerError("away"),
        OSError(28, "No space left on device"),
        ValueError("a fault of this program"),
    ],
)
async def test_whatever_goes_wrong_while_partitions_are_taken_over_ends_the_worker(monkeypatch, error) -> None:
    made, taken, crashes = recovery(monkeypatch, error)
    with pytest.raises(type(error)):
        await made.on_recovery_completed(SERIAL)
    [crash] = crashes
    # What the broker says is explained by the flow, which can ask it.
    assert isinstance(crash, KafkaError if isinstance(error, KafkaError) else StreamsError)
    assert "\n" not in str(crash)
    assert "delivers" not in taken


async def test_a_step_that_is_not_answered_in_time_ends_the_worker(monkeypatch) -> None:
    async def stopped(self: Recovery, coro: Any, timeout: Any = None) -> None:
        # What Faust makes of a timeout: the recovery ends, and nobody is told.
        coro.close()
        raise ServiceStopped

    made, _, crashes = recovery(monkeypatch, True)
    monkeypatch.setattr(Recovery, "_wait", stopped)
    monkeypatch.setattr(TiedRecovery, "should_stop", False)
    monkeypatch.setattr(TiedRecovery, "crashed", False)
    with pytest.raises(ServiceStopped):
        await made._wait(asyncio.sleep(0), timeout=30.0)
    assert "found no answer" in str(crashes[0])


@pytest.mark.parametrize("where", ["step", "take-over"])
async def test_a_recovery_that_the_next_assignment_has_overtaken_ends_no_worker(monkeypatch, where) -> None:
    async def overtaken(self: Recovery, coro: Any, timeout: Any = None) -> None:
        coro.close()
        raise IllegalStateError("No current assignment for partition")

    made, _, crashes = recovery(monkeypatch, IllegalStateError("No current assignment for partition"))
    monkeypatch.setattr(Recovery, "_wait", overtaken)
    step = made._wait(asyncio.sleep(0), timeout=30.0) if where == "step" else made.on_recovery_completed(SERIAL)
    with pytest.raises(IllegalStateError):
        await step
    assert not crashes


def reading(monkeypatch: pytest.MonkeyPatch, refused: int | None = None) -> tuple[TiedRecovery, list[int], list[Any]]:
    """A recovery of partition 1 from offset 3 up to 9; the offsets it took in, and what it crashed the app with."""
    made, _, crashes = recovery(monkeypatch, True)
    taken: list[int] = []

    def take_in(message: Any) -> None:
        if message.offset == refused:
            raise StreamsError("a batch that cannot be taken in")
        taken.append(message.offset)

    made.table = SimpleNamespace(take_in=take_in)
    made.tables = SimpleNamespace(changelog_queue=asyncio.Queue())
    monkeypatch.setattr(TiedRecovery, "should_stop", False)
    made.app.in_recovery = False
    made._active_events_received_at, made._standby_events_received_at, made._processing_times = {}, {}, deque()
    made.active_tps = {TP("changelog", 1)}
    made.active_offsets = Counter({TP("changelog", 1): 3})
    made.active_highwaters = Counter({TP("changelog", 1): 9})
    made._set_recovery_started()
    return made, taken, crashes


async def read(made: TiedRecovery, *batches: tuple[int, int, int]) -> None:
    """Have batches read: (assignment, partition, last offset) of each."""
    slurping = asyncio.create_task(TiedRecovery._slurp_changelogs.fun(made))
    for serial, partition, last in batches:
        message = SimpleNamespace(generation_id=serial, tp=TP("changelog", partition), offset=last)
        made.tables.changelog_queue.put_nowait(SimpleNamespace(message=message))
    while not (made.tables.changelog_queue.empty() or slurping.done()):
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    slurping.cancel()


async def test_a_recovery_ends_once_the_changelog_is_read_to_its_end(monkeypatch) -> None:
    made, taken, crashes = reading(monkeypatch)
    await read(made, (SERIAL, 1, 5))
    assert made.in_recovery
    assert not made.signal_recovery_end.is_set()
    await read(made, (SERIAL, 1, 9))
    assert not made.in_recovery
    assert made.signal_recovery_end.is_set(), "whoever asks later finds it as well"
    assert taken == [5, 9]
    assert not crashes
    made._set_recovery_started()
    assert not made.signal_recovery_end.is_set()


async def test_what_an_earlier_assignment_has_read_is_not_taken_in(monkeypatch) -> None:
    made, taken, _ = reading(monkeypatch)
    # It lies beyond a batch that went with the queue: taken in, it would hide that one for good.
    await read(made, (SERIAL - 1, 1, 9), (SERIAL, 2, 9))
    assert taken == []
    assert made.active_offsets == {TP("changelog", 1): 3}
    made.app.consumer_generation_id = SERIAL + 1
    await read(made, (SERIAL, 1, 9), (SERIAL + 1, 1, 9))
    assert taken == []


async def test_nothing_behind_a_batch_that_cannot_be_taken_in_is(monkeypatch) -> None:
    made, taken, crashes = reading(monkeypatch, refused=7)
    await read(made, (SERIAL, 1, 5), (SERIAL, 1, 7), (SERIAL, 1, 9))
    assert taken == [5]
    assert [str(crash) for crash in crashes] == ["a batch that cannot be taken in"]
    assert made.in_recovery
