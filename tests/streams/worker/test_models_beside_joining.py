"""Models are loaded beside the joining of a group that nobody else is in; nothing is served before they are there."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from support.encoders import HashEncoder
from support.patience import PATIENCE_S
from support.runs import quick_settings, work
from support.shoppers import random_lines

from streams.exceptions import ConfigurationError
from streams.operating.read_back import last_scores
from streams.worker import models
from streams.worker.flow import Flow
from streams.worker.lifecycle.starting import start_equipped

LINES = random_lines(seed=3, events=20, users=4)


class Held:
    """Loads the models once it is let."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._load = models.load_inference
        self.asked = threading.Event()
        self.let = threading.Event()
        monkeypatch.setattr(models, "load_inference", self)

    def __call__(self, *arguments: Any) -> Any:
        self.asked.set()
        assert self.let.wait(PATIENCE_S)
        return self._load(*arguments)


async def reached(what: Any) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not what():
            await asyncio.sleep(0.02)


async def test_the_group_is_joined_and_nothing_is_taken_over_until_the_models_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch)
    flow = Flow(quick_settings(tmp_path), encoder=HashEncoder())
    starting = asyncio.create_task(flow.__aenter__())
    try:
        await reached(lambda: hasattr(flow, "engine") and flow.engine.assignment.serial >= 0)
        await reached(held.asked.is_set)
        await reached(lambda: not flow.app.tables.recovery.in_recovery and flow.app.consumer.assignment())
        await asyncio.sleep(0.5)
        assert not flow.started
        assert not flow.engine.equipped
        assert not flow.engine.partitions
        assert not flow.engine.assignment.accepting
        assert not flow.engine.encoder_down
        held.let.set()
        await starting
        assert flow.started
        assert len(flow.engine.partitions) == 3
        await work(flow, LINES)
        assert set(await last_scores(flow.settings)) == {line["value"]["user_id"] for line in LINES}
    finally:
        held.let.set()
        await flow.__aexit__(None, None, None)


async def test_models_that_cannot_be_loaded_end_the_start_though_the_group_is_joined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch)
    flow = Flow(quick_settings(tmp_path, artefact=str(tmp_path / "none")), encoder=HashEncoder())
    starting = asyncio.create_task(flow.__aenter__())
    await reached(lambda: hasattr(flow, "engine") and flow.engine.assignment.serial >= 0)
    held.let.set()
    with pytest.raises(ConfigurationError, match="WHEREWITHAL_ARTEFACT"):
        await asyncio.wait_for(starting, PATIENCE_S)
    assert not flow.started


async def test_a_worker_of_a_cluster_joins_no_group_before_its_models_are_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broker: Any
) -> None:
    held = Held(monkeypatch)
    settings = quick_settings(tmp_path, broker=broker.url, artefact=str(tmp_path / "none"))
    flow = Flow(settings, encoder=HashEncoder())
    starting = asyncio.create_task(flow.__aenter__())
    await reached(lambda: held.asked.is_set() and hasattr(flow, "engine"))
    await asyncio.sleep(0.2)
    assert not flow.app.started, "one that cannot load them would disturb its group at every start"
    held.let.set()
    with pytest.raises(ConfigurationError, match="WHEREWITHAL_ARTEFACT"):
        await asyncio.wait_for(starting, PATIENCE_S)
    assert not flow.app.started


async def test_a_start_that_is_given_up_ends_while_models_are_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch)
    flow = Flow(quick_settings(tmp_path), encoder=HashEncoder())
    starting = asyncio.create_task(flow.__aenter__())
    await reached(held.asked.is_set)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(starting, PATIENCE_S)
    held.let.set()
    assert not flow.started


async def test_an_app_that_crashes_is_told_though_models_are_still_loaded() -> None:
    class App:
        crashed = True
        crash_reason = ConfigurationError("it crashed")

        def __init__(self) -> None:
            self._crashed = asyncio.Event()
            self._crashed.set()

        async def start(self) -> None:
            await asyncio.Event().wait()

    async def explained(reason: Any) -> Any:
        return reason

    never = asyncio.create_task(asyncio.Event().wait())
    with pytest.raises(ConfigurationError, match="it crashed"):
        await asyncio.wait_for(start_equipped(App(), 1.0, explained, never), PATIENCE_S)  # type: ignore[arg-type]
    await asyncio.wait({never})
    assert never.cancelled()
