"""Dead letters sent back while workers are killed: each of their events counts once, in its user and in its item."""

from __future__ import annotations

import signal

import pytest
from support.inputs import ends_of_inputs
from support.redriving import redrive
from support.shoppers import random_lines

from streams.operating.redriving.letters import Standing

pytestmark = pytest.mark.chaos

LINES = random_lines(seed=61, events=1200, users=40)
EVERY = 3
"""One event in so many is refused at first."""


def foreign(line):
    """The line in another currency, if it is one of those; a search has none."""
    named = int(line["value"]["event_id"][1:]) % EVERY == 0 and line["topic"] != "searches"
    return line | {"value": line["value"] | {"currency": "EUR" if named else None}}


@pytest.mark.parametrize(
    "point", ["before-facts", "after-facts", "after-changelog", "before-commit", "after-item-changelog"]
)
async def test_letters_redriven_into_a_worker_that_is_killed_count_once(cluster, point):
    lines = [*map(foreign, LINES)]
    worker = await cluster.start().ready()
    await cluster.feed(lines)
    await cluster.drained()
    await worker.stop()
    doomed = cluster.start(currency="EUR", chaos_kill=f"{point}:1")
    sent = await redrive(cluster.settings)
    assert sent[Standing.SENT] == sum(line["value"]["currency"] == "EUR" for line in lines)
    assert await doomed.ended() == -signal.SIGKILL
    assert await redrive(cluster.settings) == {Standing.SENT_BEFORE: sent[Standing.SENT]}
    await cluster.start(currency="EUR").ready()
    await cluster.drained(await ends_of_inputs(cluster.settings))
    await cluster.drained()
    await cluster.check(LINES)
