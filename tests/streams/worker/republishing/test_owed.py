"""What is remembered of an online store that lacks users."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.encoders import HashEncoder
from support.runs import quick_settings, work
from support.shoppers import random_lines

from streams.worker.flow import Flow
from streams.worker.republishing.owed import Owed


def test_a_note_outlives_the_process_until_it_is_settled(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "with it"
    assert not Owed(folder).pending
    Owed(folder).note()
    again = Owed(folder)
    assert again.pending
    again.settle()
    assert not again.pending
    assert not Owed(folder).pending


def test_a_folder_that_cannot_be_written_is_said_and_the_note_holds_for_this_process(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    owed = Owed(tmp_path / "file" / "state")
    owed.note()
    assert owed.pending
    owed.settle()
    assert not owed.pending
    assert "a restart would forget that the online store lacks rows" in caplog.messages


async def test_a_worker_with_state_in_memory_starts_where_the_note_cannot_be_written(
    tmp_path: Path, broker: object, caplog: pytest.LogCaptureFixture
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "online-store-incomplete").symlink_to(tmp_path / "missing" / "file")
    settings = quick_settings(state, online_store=f"sqlite:///{tmp_path / 'online.db'}")
    async with Flow(settings, encoder=HashEncoder()) as flow:
        await work(flow, random_lines(seed=1, events=20, users=4))
        assert flow.tally.scores_out
    assert "a restart would forget that the online store lacks rows" in caplog.messages
