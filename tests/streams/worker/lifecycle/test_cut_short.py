"""Stages that do not stop in time are left behind, and the event loop of the worker ends all the same."""

from __future__ import annotations

import asyncio
from pathlib import Path

import faust
import pytest
from support.encoders import HashEncoder
from support.patience import PATIENCE_S
from support.runs import quick_settings
from support.servers.brokers import Broker

from streams.worker import flow as flow_module
from streams.worker.flow import Flow


async def never(app: faust.App) -> None:
    await asyncio.Event().wait()


async def test_no_agent_of_a_stage_that_is_left_behind_outlives_the_event_loop(
    tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow_module, "STOP_S", 0.0)
    with monkeypatch.context() as patched:
        patched.setattr(faust.App, "stop", never)
        async with Flow(quick_settings(tmp_path, broker=broker.url), encoder=HashEncoder()) as flow:
            supervisors = {task for task in asyncio.all_tasks() if "_supervisor" in task.get_name()}
            assert supervisors
    # As an event loop does when what it was to run is done.
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    _, clinging = await asyncio.wait(supervisors, timeout=PATIENCE_S)
    assert not clinging
    await flow.app.stop()
