"""Items of a history: equal to a brute-force reading of the contract over both entities."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas
import pytest
from support.encoders import SwitchableEncoder
from support.item_reference import Said, fields
from support.reference import DAY
from support.twofold import words
from support.twofold.comparing import differing
from support.twofold.hostile import AHEAD, hostile_lines
from support.twofold.reading import Reading, read_file

from streams.cli.main import main
from streams.inference.loading import Inference, load_inference
from streams.offline.history import spill
from streams.offline.history.item_output import write_item_history
from streams.offline.history.output import Plan, Written
from streams.settings import load_settings
from streams.telemetry.metrics import Metrics

NOW = int(time.time() * 1000)
INSTANTS = (NOW, NOW - 2 * DAY, NOW - 40 * DAY, NOW - 800 * DAY)


def models() -> Inference:
    return replace(load_inference(load_settings(), Metrics(), SwitchableEncoder()), sentiment=words.head())


@pytest.fixture
def quick_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the command load models that cost nothing."""
    monkeypatch.setattr("streams.inference.loading.load_inference", lambda *_, **__: models())


def fold(folder: Path, lines: Sequence[bytes], plan: Plan) -> tuple[Written, list[dict[str, Any]]]:
    import pyarrow.parquet as pq

    events = folder / "events.ndjson"
    events.write_bytes(b"".join(line + b"\n" for line in lines))
    written = write_item_history(load_settings(), models(), [events], plan, folder / "made")
    return written, pq.read_table(folder / "made" / "offline_items").to_pylist()


def wanted_rows(reading: Reading, instants: Sequence[int]) -> dict[tuple[str, int], Sequence[Said]]:
    """What was said of each item by each instant, where anything was."""
    by_instant = {
        (item_id, instant): [one for one in told if one.timestamp <= instant]
        for item_id, told in reading.items.items()
        for instant in instants
    }
    return {place: told for place, told in by_instant.items() if told}


@pytest.mark.parametrize("bucket_bytes", [spill.BUCKET_BYTES, 20_000])
def test_rows_of_a_hostile_file_are_those_of_brute_force_at_every_instant(
    bucket_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spill, "BUCKET_BYTES", bucket_bytes)
    lines = hostile_lines(8, 1200, NOW - 1000)
    reading = read_file(lines, words.embed, words.polarity, lambda _: NOW)
    written, rows = fold(tmp_path, lines, Plan(instants=sorted(INSTANTS)))
    assert (written.facts, written.items) == (reading.facts, len(reading.items))
    wanted = wanted_rows(reading, INSTANTS)
    found = {(row["item_id"], row["event_time"]): row for row in rows}
    ahead = {place for place in {*wanted, *found} if place[0].startswith(AHEAD)}
    assert found.keys() - ahead == wanted.keys() - ahead
    for place in wanted.keys() - ahead:
        wrong = differing(found[place], fields(wanted[place], place[1]))
        assert not wrong, f"{place}: (row, wanted) {wrong}"


def view(item_id: str, timestamp: int, event_id: str = "1", **more: Any) -> bytes:
    value = {"event_id": event_id, "user_id": "u", "item_id": item_id, "action": "view", "timestamp": timestamp} | more
    return json.dumps({"topic": "clicks", "value": value}).encode()


def test_facts_stay_though_their_user_is_erased_and_an_event_of_two_lives_counts_twice(tmp_path: Path) -> None:
    erasure = json.dumps({"topic": "erasures", "value": {"user_id": "u", "timestamp": NOW - 2 * DAY}}).encode()
    lines = [
        view("i", NOW - DAY),
        view("i", NOW - 3 * DAY, "2"),
        erasure,
        view("i", NOW - DAY),
        view("i", NOW - 3 * DAY, "3"),
    ]
    written, rows = fold(tmp_path, lines, Plan(instants=[NOW]))
    assert (written.facts, rows[0]["views_30d"], rows[0]["revision"]) == (3, 3, 3)


def test_a_clock_that_is_ahead_does_not_blank_an_item(tmp_path: Path) -> None:
    lines = [view("i", NOW - 60_000), view("i", NOW + 20 * 3_600_000, "2")]
    _, rows = fold(tmp_path, lines, Plan(instants=[NOW + DAY // 24]))
    assert rows[0]["views_24h"] == 2
    assert rows[0]["tenure_days"] < 0.1


def test_feast_reads_the_rows_point_in_time(tmp_path: Path) -> None:
    from features.repository import ITEM_SERVICE, apply

    lines = [view("i", NOW - 3 * DAY, title="Blue Train"), view("i", NOW - DAY, "2", price=3.5), view("j", NOW - DAY)]
    fold(tmp_path, lines, Plan(entities=[("i", NOW - 2 * DAY), ("i", NOW), ("nobody", NOW)]))
    store = apply(tmp_path / "made", f"sqlite:///{tmp_path}/online.db")
    at = [datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=one) for one in (NOW - 2 * DAY, NOW)]
    frame = store.get_historical_features(
        entity_df=pandas.DataFrame({"item_id": ["i", "i"], "event_timestamp": at}),
        features=store.get_feature_service(ITEM_SERVICE),
    ).to_df()
    found = frame.sort_values("event_time").to_dict("records")
    assert [(row["views_7d"], row["title"]) for row in found] == [(1, "Blue Train"), (2, "Blue Train")]
    assert pandas.isna(found[0]["price"])
    assert found[1]["price"] == 3.5


@pytest.mark.usefixtures("quick_models")
def test_the_command_takes_a_file_of_items_and_instants(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events, asked = tmp_path / "events.ndjson", tmp_path / "asked.csv"
    events.write_bytes(view("i", NOW - DAY) + b"\n" + view("j", NOW - DAY, "2") + b"\n")
    asked.write_text(f"item_id,timestamp\ni,{NOW}\n")
    common = ["history", str(events), "--entity", "item", "--output", str(tmp_path / "made")]
    assert main([*common, "--at", str(asked), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["rows"], said["items"], said["facts"], said["rows_with_target"]) == (1, 2, 2, None)


@pytest.mark.usefixtures("quick_models")
@pytest.mark.parametrize(
    ("words_", "said"),
    [
        (["--targets", "--at", str(NOW)], "--targets: expected a history of users, found --entity item"),
        (["--at", "users.csv"], "expected the columns `item_id` and `timestamp`, found others"),
        (["--at", str(NOW - 9 * DAY)], "expected an instant by which an item has an event, found none"),
    ],
)
def test_what_items_cannot_be_asked_for_is_refused_in_one_line(
    words_: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("users.csv").write_text(f"user_id,timestamp\ni,{NOW}\n")
    Path("events.ndjson").write_bytes(view("i", NOW - DAY) + b"\n")
    assert main(["history", "events.ndjson", "--entity", "item", *words_]) in (1, 2)
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err
    assert not Path("history").exists()
