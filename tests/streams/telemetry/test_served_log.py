"""The log of what was served, on disks that are well, full, slow and gone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from support.online_rows import make_row as row
from support.patience import PATIENCE_S
from support.runs import quick_settings, run_flow
from support.shoppers import encoded, random_lines
from support.stores import RecordingStore

from features.online import DeleteResult, OnlineRow, WriteResult
from features.users.catalogue import NAMES
from streams.exceptions import ConfigurationError
from streams.telemetry import served_log as module
from streams.telemetry.metrics import Metrics
from streams.telemetry.served_log import SHARE, ServedLog, is_sampled
from streams.worker.publishing.online_writer import OnlineWriter

NEVER_S = 3600.0


def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.parquet"))


def count(metrics: Metrics, name: str) -> float:
    return metrics.registry.get_sample_value(f"wherewithal_served_log_{name}_total") or 0.0


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def held_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A disk that takes nothing until the event is set."""
    released = threading.Event()
    write = pq.write_table

    def wait(*arguments: object) -> None:
        assert released.wait(PATIENCE_S)
        write(*arguments)

    monkeypatch.setattr(pq, "write_table", wait)
    yield released
    released.set()


def test_a_part_holds_what_was_served(tmp_path: Path, metrics: Metrics) -> None:
    log = ServedLog(tmp_path / "deep" / "log", 1.0, metrics)
    log.take([row("a", 3), row("b", 4)])
    log.stop()
    (part,) = parts(tmp_path / "deep" / "log")
    first, second = pq.read_table(part).to_pylist()
    wanted = row("a", 3)
    for name in ("user_id", "revision", "event_time", "score", "tier", "encoder", "scorer"):
        assert first[name] == getattr(wanted, name)
    assert first["emitted_at"] == wanted.fence[2]
    assert tuple(second[name] for name in NAMES) == row("b", 4).scalars
    assert second["profile_vector"] == np.frombuffer(row("b", 4).profile, np.float32).tolist()
    assert float(pq.read_schema(part).metadata[SHARE]) == 1.0
    assert (count(metrics, "rows"), count(metrics, "dropped")) == (2, 0)


def test_a_share_of_the_users_is_logged_each_with_every_row(tmp_path: Path, metrics: Metrics) -> None:
    users = [f"u{number}" for number in range(2000)]
    log = ServedLog(tmp_path, 0.25, metrics)
    for sequence in (1, 2):
        log.take([row(user, sequence) for user in users])
    log.stop()
    logged = [entry["user_id"] for part in parts(tmp_path) for entry in pq.read_table(part).to_pylist()]
    chosen = [user for user in users if is_sampled(user, 0.25)]
    assert sorted(logged) == sorted(chosen * 2)
    assert 400 < len(chosen) < 600
    assert set(chosen) <= {user for user in users if is_sampled(user, 0.5)}
    assert not any(is_sampled(user, 0.0) for user in users)
    assert all(is_sampled(user, 1.0) for user in users)


def test_a_part_is_closed_when_it_is_full(tmp_path: Path, metrics: Metrics) -> None:
    log = ServedLog(tmp_path, 1.0, metrics, rows_in_part=10, seconds_in_part=NEVER_S)
    for number in range(5):
        log.take([row(f"u{number}-{place}") for place in range(5)])
    # A part is there before it is counted.
    until(lambda: count(metrics, "rows") == 20)
    assert len(parts(tmp_path)) == 2
    log.stop()
    assert [pq.read_metadata(part).num_rows for part in parts(tmp_path)] == [10, 10, 5]


def test_a_part_is_closed_in_time_without_further_rows(tmp_path: Path, metrics: Metrics) -> None:
    log = ServedLog(tmp_path, 1.0, metrics, seconds_in_part=0.05)
    log.take([row("u")])
    until(lambda: len(parts(tmp_path)) == 1)
    log.take([row("u", 2)])
    until(lambda: len(parts(tmp_path)) == 2)
    log.stop()


def test_a_crash_loses_the_open_part_only(tmp_path: Path, metrics: Metrics) -> None:
    log = ServedLog(tmp_path, 1.0, metrics, rows_in_part=2, seconds_in_part=NEVER_S)
    log.take([row("a"), row("b")])
    log.take([row("c")])
    until(lambda: len(parts(tmp_path)) == 1)
    # The next process does not know of this one.
    again = ServedLog(tmp_path, 1.0, metrics)
    again.take([row("d")])
    again.stop()
    users = {entry["user_id"] for part in parts(tmp_path) for entry in pq.read_table(part).to_pylist()}
    assert users == {"a", "b", "d"}
    log.stop()


def test_what_a_full_disk_does_not_take_is_dropped_and_counted_and_later_rows_are_kept(
    tmp_path: Path, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = pq.write_table

    def refuse(table: object, path: Path) -> None:
        path.write_bytes(b"half a part")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", refuse)
    log = ServedLog(tmp_path, 1.0, metrics, rows_in_part=2, seconds_in_part=NEVER_S)
    log.take([row("a"), row("b")])
    until(lambda: count(metrics, "dropped") == 2)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(pq, "write_table", write)
    log.take([row("c"), row("d")])
    log.stop()
    assert count(metrics, "rows") == 2
    assert len(parts(tmp_path)) == 1


def test_a_disk_that_hangs_holds_nothing_up_and_what_waits_is_bounded(
    tmp_path: Path, metrics: Metrics, held_disk: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STOP_S", 0.05)
    log = ServedLog(tmp_path, 1.0, metrics, rows_in_part=1)
    for number in range(module.WAITING_BATCHES + 10):
        log.take([row(f"u{number}")])
    # One batch may be with the thread.
    assert 9 <= count(metrics, "dropped") <= 10
    log.stop()
    assert parts(tmp_path) == []
    held_disk.set()
    kept = module.WAITING_BATCHES + 10 - count(metrics, "dropped")
    until(lambda: count(metrics, "rows") == kept)


def test_a_folder_that_cannot_be_made_is_refused_at_the_start(tmp_path: Path, metrics: Metrics) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="WHEREWITHAL_SERVED_LOG: expected a folder that can be made"):
        ServedLog(tmp_path / "file" / "log", 1.0, metrics)


class FencingStore(RecordingStore):
    def write(self, rows):  # type: ignore[no-untyped-def]
        super().write(rows)
        return WriteResult(0, len(rows))

    def delete(self, user_ids, fence, fence_ttl_s=None):  # type: ignore[no-untyped-def]
        return DeleteResult(0, len(user_ids))


@pytest.mark.parametrize(("store", "logged"), [(RecordingStore(), 1), (FencingStore(), 0)])
async def test_rows_that_the_store_fences_off_were_not_served(store: RecordingStore, logged: int) -> None:
    seen: list[OnlineRow] = []
    writer = OnlineWriter(store, Metrics(), freshness_s=0.01, batch_rows=10, on_served=seen.extend)
    writer.start(lambda error: None)
    await writer.put([row("u")])
    await writer.stop()
    assert len(seen) == logged


@pytest.mark.usefixtures("broker")
async def test_a_flow_logs_the_last_row_that_it_serves_of_every_user(tmp_path: Path) -> None:
    settings = quick_settings(tmp_path / "state", served_log=tmp_path / "log")
    run = await run_flow(settings, encoded(random_lines(seed=21, events=400, users=30)))
    newest: dict[str, dict[str, object]] = {}
    for entry in (entry for part in parts(tmp_path / "log") for entry in pq.read_table(part).to_pylist()):
        known = newest.get(entry["user_id"])
        if known is None or known["emitted_at"] < entry["emitted_at"]:
            newest[entry["user_id"]] = entry
    assert newest.keys() == run.features.keys()
    for user, entry in newest.items():
        for name in (*NAMES, "revision", "event_time", "encoder"):
            assert entry[name] == run.features[user][name]
        assert entry["score"] == run.scores[user]["score"]
        assert entry["emitted_at"] == run.scores[user]["emitted_at"]


@pytest.mark.usefixtures("broker")
async def test_a_flow_whose_log_cannot_be_written_serves_as_if_there_were_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", refuse)
    settings = quick_settings(tmp_path / "state", served_log=tmp_path / "log")
    run = await run_flow(settings, encoded(random_lines(seed=22, events=100, users=10)))
    assert run.summary.complete
    assert run.features.keys() == run.scores.keys()
    assert parts(tmp_path / "log") == []
