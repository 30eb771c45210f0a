"""Both stages over a hostile file: users, items and every line's fate are those of a brute-force reading."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from support import reference
from support.encoders import SwitchableEncoder
from support.item_oracle import assert_rows
from support.item_reference import fields
from support.oracle import EXACT, VECTORS
from support.plain_feast import served_items
from support.runs import quick_settings, run_flow
from support.twofold import words
from support.twofold.hostile import AHEAD, hostile_lines
from support.twofold.reading import Reading, read_file


def now() -> int:
    """The clock when the test begins, ms: what is ahead of it is so by an hour, which a session may take."""
    return int(time.time() * 1000)


async def assert_read(folder: Path, lines: Sequence[bytes], reading: Reading, began: int) -> None:
    """A flow over the lines, which began at an instant of the clock, makes of them what the reading says."""
    settings = quick_settings(folder, items=True)
    run = await run_flow(settings, list(enumerate(lines, 1)), encoder=SwitchableEncoder())
    summary = run.summary
    assert summary.complete
    counts = (summary.events_in, summary.events_applied, summary.duplicates, summary.erased)
    assert counts == (reading.events_in, reading.applied, reading.duplicates, reading.erased)
    assert Counter(letter["reason"] for letter in run.letters) == Counter(reading.letters.values())
    assert (summary.facts_sent, summary.facts_applied, summary.items) == (
        reading.facts,
        reading.facts,
        len(reading.items),
    )
    for user, events in reading.users.items():
        wanted = reference.features(events)
        assert {name: run.features[user][name] for name in EXACT} == {name: wanted[name] for name in EXACT}
        for name in VECTORS:
            np.testing.assert_allclose(run.features[user][name], wanted[name], atol=1e-5)
    served = served_items(settings, folder / "feast", sorted(reading.items))
    assert served.keys() == reading.items.keys()
    wanted_items = {item_id: fields(said) for item_id, said in reading.items.items() if not item_id.startswith(AHEAD)}
    assert_rows({item_id: served[item_id] for item_id in wanted_items}, wanted_items)
    for item_id, said in reading.items.items():
        if item_id.startswith(AHEAD):
            # Its time is that of its record, and not the one of tomorrow that the event claims.
            assert served[item_id]["purchases_1h"] == len(said)
            assert began <= served[item_id]["event_time"] <= now()


@pytest.mark.usefixtures("broker")
async def test_a_hostile_file_becomes_what_the_contract_says(tmp_path: Path) -> None:
    began = now()
    lines = hostile_lines(21, 500, began - 1000)
    await assert_read(tmp_path, lines, read_file(lines, words.embed, None, lambda _: began), began)


@pytest.mark.usefixtures("broker")
async def test_in_any_order_the_same_becomes_of_lines_whose_order_does_not_matter(tmp_path: Path) -> None:
    began = now()
    lines = hostile_lines(22, 400, began - 1000, any_order=True)
    reading = read_file(lines, words.embed, None, lambda _: began)
    random.Random(1).shuffle(lines)
    await assert_read(tmp_path, lines, reading, began)


@pytest.mark.chaos
@pytest.mark.usefixtures("broker")
@pytest.mark.parametrize("seed", range(3))
async def test_three_thousand_hostile_lines_become_what_the_contract_says(seed: int, tmp_path: Path) -> None:
    began = now()
    lines = hostile_lines(seed, 3000, began - 1000)
    await assert_read(tmp_path, lines, read_file(lines, words.embed, None, lambda _: began), began)
