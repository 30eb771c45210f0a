"""The local store on disk: what a crash leaves of it is a whole, earlier version of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import faust
import pytest
from faust.types import TP
from rocksdb.errors import RocksIOError

from streams.contract import changelog_name
from streams.exceptions import LocalStateError
from streams.settings import load_settings
from streams.worker.stage_spec import USERS
from streams.worker.state.local_store import Progress, RocksStore
from streams.worker.state.state_table import StateTable

GROUPS, WRITTEN, BYTES = 400, 50, 16_384

WRITER = """
import os, signal, sys
from pathlib import Path
from test_local_store import BYTES, GROUPS, WRITTEN, make_store
from streams.worker.state.local_store import Progress

store = make_store(Path(sys.argv[1]))
for group in range(GROUPS):
    states = {b"%d" % (group * 7 % WRITTEN + user): b"%d" % group + bytes(BYTES) for user in range(5)}
    store.write(0, states, Progress(offset=group, epoch=group))
os.kill(os.getpid(), signal.SIGKILL)
"""


def make_store(folder: Path) -> RocksStore:
    app = faust.App("table-test", broker="memory://", datadir=folder)
    settings = load_settings(state_store="rocksdb", state_dir=folder)
    store = StateTable(app, settings, USERS, on_recovered=lambda _: None, on_erased=lambda *_: None).data
    assert isinstance(store, RocksStore)
    return store


def test_a_crash_leaves_states_and_offset_of_one_instant(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    killed = subprocess.run([sys.executable, "-c", WRITER, str(tmp_path)], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    store = make_store(tmp_path)
    reached = store.progress(0).offset
    # What was not flushed is gone, and there was more than the memory for writes holds.
    assert 0 < reached < GROUPS
    expected = {}
    for group in range(reached + 1):
        for user in range(5):
            expected[b"%d" % (group * 7 % WRITTEN + user)] = b"%d" % group + bytes(BYTES)
    assert dict(store.items(0)) == expected
    assert store.persisted_offset(TP(changelog_name(load_settings()), 0)) == reached


def test_a_store_that_is_closed_keeps_everything(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.write(0, {b"u": b"state"}, Progress(offset=7))
    store._db_for_partition(0).close()
    again = make_store(tmp_path)
    assert (dict(again.items(0)), again.progress(0).offset) == ({b"u": b"state"}, 7)


def test_a_disk_that_refuses_the_store_is_named_with_the_setting(tmp_path: Path) -> None:
    # Locked as by a worker that has the same folder.
    first, second = make_store(tmp_path), make_store(tmp_path)
    first.write(0, {b"u": b"state"}, Progress(offset=1))
    with pytest.raises(LocalStateError, match=r"WHEREWITHAL_STATE_DIR: expected to write .* that no other worker has"):
        second.read(0, b"u")


def test_a_group_that_the_disk_does_not_take_is_an_error_of_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FullDisk:
        def write(self, batch: object, **options: object) -> None:
            raise RocksIOError(b"IO error: No space left on device")

    store = make_store(tmp_path)
    monkeypatch.setattr(store, "_db_for_partition", lambda _: FullDisk())
    with pytest.raises(LocalStateError, match="found No space left on device; check the free space"):
        store.write(0, {b"u": b"state"}, Progress(offset=1))


def test_the_last_word_on_how_far_users_are_kept_counts_for_it_is_a_clocks() -> None:
    ahead = Progress().onward(10, 5, [], kept_until=2_000)
    assert ahead.onward(11, 5, [], kept_until=1_000).kept_until == 1_000
    assert ahead.onward(11, 5, []).kept_until == 2_000
