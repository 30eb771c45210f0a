"""Groups that are ready together are taken and scored together, and not sooner than they may be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from features.users.codec import encode
from features.users.state import UserState
from streams.worker.publishing import rounds
from streams.worker.publishing.group import Group, Touch
from streams.worker.publishing.rounds import STEP_KEYS, Emitted, Rounds
from streams.worker.users.emitter import Emission, Subject


class CountingEmitter:
    """Emits nothing, and keeps how many users each group of each call had."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []

    def emit(self, groups: Sequence[Sequence[Subject]]) -> list[Emission]:
        self.calls.append([len(subjects) for subjects in groups])
        return [Emission(len(self.calls)) for _ in groups]


class PickyEmitter(CountingEmitter):
    """Refuses every call with a group of three."""

    def emit(self, groups: Sequence[Sequence[Subject]]) -> list[Emission]:
        if any(len(subjects) == 3 for subjects in groups):
            raise ValueError("no scores for three")
        return super().emit(groups)


def group(users: int) -> Callable[[], Group]:
    return lambda: Group({f"u{number}": Touch(UserState(), number) for number in range(users)}, [], 0, 1, encode)


async def turns() -> None:
    """Let everything that can run do so."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_groups_that_are_ready_in_one_turn_are_scored_in_one_step() -> None:
    emitter = CountingEmitter()
    together = Rounds(emitter)  # type: ignore[arg-type]
    groups = await asyncio.gather(*(together.join(group(users)) for users in (1, 2, 3)))
    assert emitter.calls == [[1, 2, 3]]
    assert [len(one.group.keys) for one in groups] == [1, 2, 3]
    assert {one.emission.emitted_at for one in groups} == {1}


async def test_a_group_is_taken_when_its_round_comes_and_not_when_it_joins() -> None:
    taken: list[int] = []

    def take() -> Group:
        taken.append(1)
        return group(1)()

    joined = Rounds(CountingEmitter()).join(take)  # type: ignore[arg-type]
    assert not taken
    await joined
    assert taken == [1]


async def test_the_next_round_waits_for_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "INTERVAL_S", 3600.0)
    emitter = CountingEmitter()
    together = Rounds(emitter)  # type: ignore[arg-type]
    await together.join(group(1))
    late = [together.join(group(1)) for _ in range(2)]
    await turns()
    assert emitter.calls == [[1]]
    assert not any(one.done() for one in late)


async def test_a_step_ends_when_it_has_its_users_and_the_rest_follows_without_delay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rounds, "INTERVAL_S", 3600.0)
    emitter = CountingEmitter()
    together = Rounds(emitter)  # type: ignore[arg-type]
    many = STEP_KEYS // 2 + 1
    await asyncio.gather(*(together.join(group(many)) for _ in range(3)))
    assert emitter.calls == [[many, many], [many]]


async def test_whoever_leaves_before_the_round_is_not_taken() -> None:
    emitter = CountingEmitter()
    together = Rounds(emitter)  # type: ignore[arg-type]
    left, stayed = together.join(group(1)), together.join(group(2))
    left.cancel()
    await stayed
    assert emitter.calls == [[2]]


async def test_a_group_that_cannot_be_scored_fails_alone() -> None:
    emitter = PickyEmitter()
    together = Rounds(emitter)  # type: ignore[arg-type]
    joined = [together.join(group(users)) for users in (1, 3, 2)]
    first, second, third = await asyncio.gather(*joined, return_exceptions=True)
    assert isinstance(first, Emitted)
    assert isinstance(second, ValueError)
    assert isinstance(third, Emitted)
    assert emitter.calls == [[1], [2]]


async def test_a_group_that_cannot_be_taken_fails_alone() -> None:
    def take() -> Group:
        raise ValueError("no group today")

    emitter = CountingEmitter()
    together = Rounds(emitter)  # type: ignore[arg-type]
    first, second = await asyncio.gather(together.join(take), together.join(group(2)), return_exceptions=True)
    assert isinstance(first, ValueError)
    assert isinstance(second, Emitted)
    assert emitter.calls == [[2]]
