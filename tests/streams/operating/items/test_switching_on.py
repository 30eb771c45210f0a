"""Items switched on in a running deployment: what they know then, without and with the inputs that are still there."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from support.encoders import HashEncoder
from support.runs import quick_settings
from support.shoppers import encoded, random_lines

from streams.cli.replay import feed
from streams.contract import FACTS, INPUTS, topic_name
from streams.item_settings import Stages
from streams.name_settings import TOPIC_SETTINGS
from streams.operating.drain import Drain
from streams.operating.feeder import Ends
from streams.operating.read_back import known_items, served_items
from streams.settings import Settings
from streams.sources.reading import numbered
from streams.worker.flow import Flow

pytestmark = [pytest.mark.usefixtures("broker"), pytest.mark.chaos]
LINES = random_lines(seed=3, events=300, users=12)
BEFORE, AFTER = LINES[:200], LINES[200:]


async def worked(settings: Settings, *parts: list[dict[str, Any]]) -> tuple[Ends, list[dict[str, Any]]]:
    """Have a worker take these events; return where the inputs end, and what is served of items."""
    ends: Ends = {}
    async with Flow(settings, encoder=HashEncoder()) as flow:
        drain = Drain(flow, 1000)
        for lines in parts:
            ends = (await feed(flow, drain, numbered(encoded(lines)))).ends
            await drain.drained(ends)
        items = known_items(flow) if flow.items is not None else []
    return ends, await asyncio.to_thread(served_items, settings, items)


async def rebuilt(settings: Settings, folder: Path, ends: Ends) -> None:
    """Have the inputs read once more by another group, whose facts go where the first group's will go."""
    names = {TOPIC_SETTINGS[topic]: topic_name(settings, topic) for topic in (*INPUTS, FACTS)}
    other = quick_settings(folder / "rebuild", items=True, stages=Stages.USERS, **names)
    async with Flow(other, encoder=HashEncoder()) as flow:
        await Drain(flow, 1000).drained(ends)


@pytest.mark.parametrize("rebuild", [False, True])
async def test_items_start_empty_unless_the_inputs_are_read_once_more(tmp_path: Path, rebuild: bool) -> None:
    _, expected = await worked(quick_settings(tmp_path / "always", items=True), BEFORE, AFTER)
    settings = quick_settings(tmp_path / "late", items=False)
    ends, nothing = await worked(settings, BEFORE)
    assert nothing == []
    on = settings.model_copy(update={"items": True})
    if rebuild:
        await rebuilt(on, tmp_path, ends)
    _, found = await worked(on, AFTER)
    if rebuild:
        assert found == expected
    else:
        revisions = {row["item_id"]: row["revision"] for row in expected}
        # An item whose first event came later is whole all the same.
        assert all(row["revision"] <= revisions[row["item_id"]] for row in found)
        assert 0 < sum(row["revision"] for row in found) < sum(revisions.values())
