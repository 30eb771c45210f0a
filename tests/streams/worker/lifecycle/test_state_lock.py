"""A state folder is one worker's at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.encoders import HashEncoder
from support.paths import ROOT
from support.patience import PATIENCE_S
from support.runs import quick_settings

from streams.exceptions import ConfigurationError, LocalStateError
from streams.settings import StateStore, load_settings
from streams.worker.flow import Flow
from streams.worker.lifecycle.state_lock import lock_state

HOLDER = """
import sys, time
from pathlib import Path
from streams.settings import load_settings
from streams.worker.lifecycle.state_lock import lock_state
unlock = lock_state(load_settings(state_dir=Path(sys.argv[1])))
print("locked", flush=True)
time.sleep(3600)
"""


def test_a_folder_that_another_process_has_is_refused_in_one_line_until_that_process_is_gone(tmp_path: Path) -> None:
    settings = load_settings(state_dir=tmp_path / "state")
    other = subprocess.Popen([sys.executable, "-c", HOLDER, settings.state_dir], cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        with pytest.raises(LocalStateError) as refused:
            lock_state(settings)
        line = str(refused.value)
        assert f"found {settings.state_dir} in use by another (process {other.pid})" in line
        assert "\n" not in line
    finally:
        other.send_signal(signal.SIGKILL)
        other.communicate(timeout=PATIENCE_S)
    unlock = lock_state(settings)
    assert (settings.state_dir / "lock").read_text() == str(os.getpid())
    unlock()
    lock_state(settings)()


def test_state_in_memory_needs_no_lock(tmp_path: Path) -> None:
    settings = load_settings(state_dir=tmp_path / "state", state_store=StateStore.MEMORY)
    lock_state(settings)()
    assert not settings.state_dir.exists()


def test_a_folder_that_cannot_be_made_is_a_wrong_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="WHEREWITHAL_STATE_DIR: expected a folder that can be written"):
        lock_state(load_settings(state_dir=tmp_path / "file" / "state"))


async def test_a_second_worker_on_a_folder_does_not_start_and_a_third_does_once_the_first_has_left(
    tmp_path: Path, broker: Any
) -> None:
    settings = quick_settings(tmp_path, state_store=StateStore.ROCKSDB, broker=broker.url)
    async with Flow(settings, encoder=HashEncoder()) as first:
        with pytest.raises(LocalStateError, match="in use by another"):
            await Flow(first.settings, encoder=HashEncoder()).__aenter__()
    async with Flow(settings, encoder=HashEncoder()):
        pass
