"""The end of a recovery: tied to its generation, and no error in it is passed over."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import IllegalStateError, KafkaError, NodeNotReadyError
from faust.tables.recovery import Recovery, ServiceStopped
from faust.types import TP

from features.exceptions import StateFormatError
from streams.exceptions import BrokerError, StreamsError
from streams.recovery import TiedRecovery

GENERATION = 7


def recovery(monkeypatch: pytest.MonkeyPatch, answer: Any) -> tuple[TiedRecovery, list[Any], list[BaseException]]:
    """A recovery of generation 7; what it had taken over, and what it crashed the app with."""
    taken: list[Any] = []
    crashes: list[BaseException] = []

    async def crash(error: BaseException) -> None:
        crashes.append(error)

    async def take_over(generation: int, numbers: set[int]) -> bool:
        taken.append((generation, numbers))
        if isinstance(answer, BaseException):
            raise answer
        return bool(answer)

    async def completed(self: Recovery, generation_id: int = 0) -> None:
        taken.append("delivers")

    monkeypatch.setattr(Recovery, "on_recovery_completed", completed)
    made = TiedRecovery.__new__(TiedRecovery)
    made.app = SimpleNamespace(consumer_generation_id=GENERATION, crash=crash)
    made._generation_id = GENERATION
    made.active_tps = {TP("changelog", 1), TP("changelog", 2)}
    made.take_over = take_over
    made.begin_delivery = lambda generation: taken.append(("begins", generation))
    return made, taken, crashes


async def test_events_are_delivered_once_the_partitions_are_taken_over(monkeypatch) -> None:
    made, taken, crashes = recovery(monkeypatch, True)
    await made.on_recovery_completed(GENERATION)
    assert taken == [(GENERATION, {1, 2}), "delivers", ("begins", GENERATION)]
    assert not crashes


async def test_nothing_is_delivered_to_an_assignment_that_has_ended_meanwhile(monkeypatch) -> None:
    made, taken, _ = recovery(monkeypatch, False)
    await made.on_recovery_completed(GENERATION)
    assert taken == [(GENERATION, {1, 2})]


@pytest.mark.parametrize("behind", ["_generation_id", "consumer_generation_id"])
async def test_the_end_of_an_earlier_recovery_takes_nothing_over(monkeypatch, behind) -> None:
    made, taken, _ = recovery(monkeypatch, True)
    setattr(made if behind == "_generation_id" else made.app, behind, GENERATION + 1)
    await made.on_recovery_completed(GENERATION)
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
        await made.on_recovery_completed(GENERATION)
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
    step = made._wait(asyncio.sleep(0), timeout=30.0) if where == "step" else made.on_recovery_completed(GENERATION)
    with pytest.raises(IllegalStateError):
        await step
    assert not crashes
