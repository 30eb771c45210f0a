"""The line that a worker logs now and again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from support.encoders import HashEncoder
from support.patience import PATIENCE_S
from support.runs import quick_settings, work
from support.shoppers import random_lines

from streams.worker.flow import Flow
from streams.worker.monitor import Monitor
from streams.worker.readiness import Readiness
from streams.worker.status_log import StatusLog

EVENTS = 100


def statuses(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [record.fields for record in caplog.records if record.getMessage() == "status"]


@pytest.mark.usefixtures("broker")
async def test_a_line_counts_what_was_done_since_the_last_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "wherewithal")
    readiness = Readiness()
    flow = Flow(quick_settings(tmp_path, partitions=2), encoder=HashEncoder(), progress=readiness.begin)
    status = StatusLog(flow, readiness)
    status.write()
    async with flow:
        lines = random_lines(seed=5, events=EVENTS, users=10)
        duplicates = len(lines) - EVENTS
        lines.append({"topic": "clicks", "value": {"user_id": "u", "nothing": "else"}})
        await work(flow, lines)
        await Monitor(flow, stall_s=3600).look()
        status.write()
        status.write()
    before, busy, idle = statuses(caplog)
    assert before["waiting_for"] == ["starting"]
    assert (before["partitions"], before["lag"], before["lag_s"], before["encoder"]) == (0, None, None, "loading")
    assert (busy["applied"], busy["duplicates"], busy["dead_letters"]) == (EVENTS, duplicates, {"invalid": 1})
    assert busy["scores"] == flow.tally.scores_out > 0
    assert (busy["partitions"], busy["lag"], busy["lag_s"]) == (2, 0, 0.0)
    assert (busy["encoder"], busy["waiting_for"]) == ("unfitted", []), "no scorer is fitted to the tests' encoder"
    assert (idle["applied"], idle["duplicates"], idle["dead_letters"], idle["scores"]) == (0, 0, {}, 0)
    assert before.keys() == busy.keys() == idle.keys()


@pytest.mark.parametrize(("interval_s", "lines"), [(0.01, 3), (0.0, 0)])
async def test_lines_come_at_the_interval_and_never_with_none(
    caplog: pytest.LogCaptureFixture, tmp_path: Path, interval_s: float, lines: int
) -> None:
    caplog.set_level("INFO", "wherewithal")
    status = StatusLog(Flow(quick_settings(tmp_path)), Readiness())
    writing = asyncio.create_task(status.run(interval_s))
    async with asyncio.timeout(PATIENCE_S):
        while len(statuses(caplog)) < lines:
            await asyncio.sleep(0.01)
    if not lines:
        await writing
        assert statuses(caplog) == []
    writing.cancel()
