"""What a worker says it waits for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.encoders import HashEncoder
from support.patience import PATIENCE_S
from support.runs import quick_settings, work
from support.shoppers import random_lines

from streams.settings import StateStore
from streams.worker import models
from streams.worker.engine import Engine
from streams.worker.flow import Flow
from streams.worker.monitor import Monitor
from streams.worker.readiness import STOPPING, Readiness
from streams.worker.state.state_table import StateTable

pytestmark = pytest.mark.usefixtures("broker")


async def until(reached: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not reached():
            await asyncio.sleep(0.02)


@pytest.fixture
def take_over(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """What every take-over of partitions waits for."""
    gate, open_partitions = asyncio.Event(), Engine._open

    async def held(self: Engine, *arguments: Any) -> None:
        await gate.wait()
        await open_partitions(self, *arguments)

    monkeypatch.setattr(Engine, "_open", held)
    return gate


async def test_each_step_of_a_start_is_named_until_there_is_nothing_to_wait_for(
    tmp_path: Path, take_over: asyncio.Event
) -> None:
    readiness, named = Readiness(), []

    def begin(step: str) -> None:
        readiness.begin(step)
        named.append(readiness.missing(flow))

    flow = Flow(quick_settings(tmp_path), encoder=HashEncoder(), progress=begin)
    monitor = Monitor(flow, stall_s=3600, readiness=readiness)
    assert monitor.ready() == "starting"
    starting = asyncio.create_task(flow.__aenter__())
    await until(lambda: readiness.joining)
    readiness.look(flow)
    # Where the app is on its way to the group is a matter of moments; each of them is named.
    assert str(monitor.ready()).startswith("starting: waiting for the ")
    take_over.set()
    await starting
    try:
        assert monitor.ready() is None, "what was waited for before the start was through counts no more"
        readiness.look(flow)
        assert monitor.ready() is None
        readiness.begin(STOPPING)
    finally:
        await flow.__aexit__(None, None, None)
    assert monitor.ready() == "stopping: settling what is applied"
    firsts = [missing[0] for missing in named]
    assert [first.partition("waiting for ")[2].partition(",")[0] for first in firsts[:3]] == [
        "the broker to tell its topics",
        "the online store to answer",
        "the encoder and the scorer to be loaded",
    ]


async def test_a_worker_whose_models_are_still_loaded_says_so_and_not_that_its_store_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broker: Any
) -> None:
    readiness, let, load = Readiness(), threading.Event(), models.load_inference

    def held(*arguments: Any) -> Any:
        assert let.wait(PATIENCE_S)
        return load(*arguments)

    monkeypatch.setattr(models, "load_inference", held)
    flow = Flow(quick_settings(tmp_path, broker=broker.url), encoder=HashEncoder(), progress=readiness.begin)
    starting = asyncio.create_task(flow.__aenter__())
    try:
        await until(lambda: hasattr(flow, "engine"))
        assert readiness.missing(flow) == ["starting: waiting for the encoder and the scorer to be loaded"]
    finally:
        let.set()
        await starting
        await flow.__aexit__(None, None, None)


async def test_a_recovery_is_told_with_its_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = quick_settings(tmp_path / "one", state_store=StateStore.MEMORY, partitions=1)
    async with Flow(settings, encoder=HashEncoder()) as flow:
        await work(flow, random_lines(seed=1, events=200, users=20))
    readiness, seen = Readiness(), []
    flow = Flow(settings, encoder=HashEncoder(), progress=readiness.begin)
    real = StateTable.take_in

    def told(self: StateTable, message: Any) -> None:
        readiness.look(flow)
        seen.extend(readiness.missing(flow))
        real(self, message)

    monkeypatch.setattr(StateTable, "take_in", told)
    async with flow:
        assert readiness.missing(flow) == []
    assert any("records left in 1 partitions)" in reason for reason in seen)


async def test_a_worker_that_joins_its_group_again_is_not_ready_until_its_partitions_are_taken_over(
    tmp_path: Path, take_over: asyncio.Event
) -> None:
    take_over.set()
    readiness = Readiness()
    async with Flow(quick_settings(tmp_path), encoder=HashEncoder(), progress=readiness.begin) as flow:
        monitor = Monitor(flow, stall_s=3600, readiness=readiness)
        readiness.look(flow)
        assert monitor.ready() is None
        take_over.clear()
        flow.app.consumer.rejoin()
        await until(lambda: not flow.app.consumer.delivering)
        readiness.look(flow)
        assert str(monitor.ready()).startswith("joining the group again: waiting for the ")
        take_over.set()
        await until(lambda: flow.app.consumer.delivering)
        readiness.look(flow)
        assert monitor.ready() is None


async def test_a_worker_without_partitions_is_ready(tmp_path: Path) -> None:
    settings = quick_settings(tmp_path / "one", partitions=1)
    readiness = Readiness()
    async with Flow(settings, encoder=HashEncoder()) as one:
        other = Flow(
            settings.model_copy(update={"state_dir": tmp_path / "two"}),
            encoder=HashEncoder(),
            progress=readiness.begin,
        )
        async with other:
            await until(lambda: one.app.consumer.delivering and other.app.consumer.delivering)
            assert sorted(len(flow.engine.partitions) for flow in (one, other)) == [0, 1]
            readiness.look(other)
            assert readiness.missing(other) == []


async def test_every_dependency_that_fails_is_on_a_line_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Flow(quick_settings(tmp_path), encoder=HashEncoder()) as flow:
        monitor = Monitor(flow, stall_s=3600)
        monkeypatch.setattr(flow, "broker_silent", True)
        monkeypatch.setattr(flow.engine.equipment.emitter, "encoder_down", True)
        assert str(monitor.ready()).splitlines() == ["the broker does not answer", "the encoder is down"]
