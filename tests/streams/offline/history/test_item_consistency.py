"""Rows of items that were served, compared with a history that is folded again."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from support.encoders import HashEncoder, SwitchableEncoder
from support.reference import DAY
from support.runs import quick_settings, run_flow
from support.shoppers import encoded, random_lines
from support.twofold import words

from features.items.catalogue import INDEX
from features.items.fact import Fact
from features.items.point_in_time import item_snapshots
from features.observation import Kind, Source
from features.online.item_views import ITEMS
from features.online.rows import ItemRow
from streams.cli.main import main
from streams.inference.loading import Inference, load_inference
from streams.offline.history.folding import History
from streams.offline.history.item_consistency import compare_items
from streams.offline.history.item_output import row_of
from streams.offline.history.items import ItemHistory
from streams.offline.history.log_parts import log_parts
from streams.settings import load_settings
from streams.telemetry.metrics import Metrics
from streams.telemetry.served_log import ITEMS_FOLDER, ServedLog

NOW = int(time.time() * 1000)
TITLE = "Blue Train"
TIMES = (NOW - 3 * DAY, NOW - 2 * DAY, NOW - DAY)


def models() -> Inference:
    return replace(load_inference(load_settings(), Metrics(), SwitchableEncoder()), sentiment=words.head())


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> str:
    """Have the command load models that cost nothing; the identity of their encoder."""
    monkeypatch.setattr("streams.inference.loading.load_inference", lambda *_, **__: models())
    return models().encoder


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """Three views of an item by one user, and one of another item."""
    lines = [
        {"event_id": str(number), "user_id": "u", "item_id": item, "action": "view", "timestamp": at, "price": 2.0}
        for number, (item, at) in enumerate([*(("i", at) for at in TIMES), ("j", NOW - DAY)])
    ]
    path = tmp_path / "events.ndjson"
    path.write_text(
        "".join(json.dumps({"topic": "clicks", "value": value | {"title": "Blue Train"}}) + "\n" for value in lines)
    )
    return path


def row(encoder: str, times: Sequence[int], item: str = "i") -> ItemRow:
    """What was served of an item when these views of it had arrived."""
    facts = [
        Fact(int(Source.CLICKS), n, item, at, int(Kind.VIEW), price=2.0, title="Blue Train")
        for n, at in enumerate(times)
    ]
    titles = {"Blue Train": np.asarray(words.embed("Blue Train"))}
    (found,) = item_snapshots(facts, [NOW], "", encoder, titles)
    return row_of(item, found, encoder)


def changed(served: ItemRow, name: str, value: Any) -> ItemRow:
    scalars = list(served.scalars)
    scalars[INDEX[name]] = value
    return msgspec.structs.replace(served, scalars=tuple(scalars))


def compared(folder: Path, events: Path, rows: Sequence[ItemRow], capsys: Any, code: int) -> dict[str, Any]:
    kept = ServedLog(folder / "log" / ITEMS_FOLDER, 1.0, Metrics(), ITEMS)
    kept.take(rows)
    kept.stop()
    assert main(["consistency", str(folder / "log"), str(events), "--entity", "item", "--json"]) == code
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    return said


def test_rows_are_equal_late_or_wrong(encoder: str, events: Path, tmp_path: Path, capsys: Any) -> None:
    whole = row(encoder, TIMES)
    early = row(encoder, TIMES[:2])
    wrong = [
        changed(whole, "views_7d", 2),
        changed(early, "views_7d", 4),
        msgspec.structs.replace(early, title="another"),
    ]
    unread = msgspec.structs.replace(whole, title_vector=bytes(256))
    said = compared(tmp_path, events, [whole, early, unread, *wrong, row(encoder, TIMES[:1], "never seen")], capsys, 1)
    counts = {name: said[name] for name in ("logged", "equal", "late", "mismatches", "extra", "missing")}
    assert counts == {"logged": 7, "equal": 2, "late": 1, "mismatches": 3, "extra": 1, "missing": 1}
    assert said["missing_items"] == ["j"]
    assert said["extra_items"] == ["never seen"]
    assert said["differences"][0]["item_id"] == "i"
    assert said["differences"][0]["features"]["views_7d"] == {"served": 2, "offline": 3}


def test_a_row_that_another_order_of_an_erasure_explains_is_no_mismatch(
    encoder: str, tmp_path: Path, capsys: Any
) -> None:
    path, before, after = tmp_path / "events.ndjson", TIMES[0], TIMES[1]
    views = [("1", "i", before), ("2", "i", after), ("3", "k", after)]
    clicks = [
        {"event_id": number, "user_id": "u", "item_id": item, "action": "view", "timestamp": at, "price": 2.0}
        for number, item, at in views
    ]
    first, *refused = ({"topic": "clicks", "value": click | {"title": TITLE}} for click in clicks)
    other = {"topic": "clicks", "value": clicks[0] | {"event_id": "4", "user_id": "v", "item_id": "j", "title": TITLE}}
    erasure = {"topic": "erasures", "value": {"user_id": "u", "timestamp": after}}
    path.write_text("".join(json.dumps(line) + "\n" for line in (first, other, erasure, *refused)))
    told_first = [row(encoder, [before, after]), row(encoder, [after], "k")]
    never = [row(encoder, [before, after, after]), row(encoder, [before, before], "j"), row(encoder, [after], "nobody")]
    said = compared(tmp_path, path, [row(encoder, [before]), *told_first, *never], capsys, 1)
    counts = {name: said[name] for name in ("logged", "equal", "late", "erased", "mismatches", "extra")}
    assert counts == {"logged": 6, "equal": 1, "late": 0, "erased": 2, "mismatches": 2, "extra": 1}
    assert [one["item_id"] for one in said["differences"]] == ["i", "j"]
    assert said["extra_items"] == ["nobody"]


def test_of_another_encoder_neither_the_title_nor_what_its_head_said_is_compared(
    encoder: str, events: Path, tmp_path: Path, capsys: Any
) -> None:
    other = changed(row("another", TIMES), "polarity_30d", 0.5)
    wrong = changed(other, "views_7d", 2)
    same = changed(row(encoder, TIMES), "polarity_30d", 0.5)
    said = compared(tmp_path, events, [other, wrong, same], capsys, 1)
    counts = {name: said[name] for name in ("logged", "equal", "mismatches", "vectors_not_compared")}
    assert counts == {"logged": 3, "equal": 1, "mismatches": 2, "vectors_not_compared": 2}
    assert [list(one["features"]) for one in said["differences"]] == [["views_7d"], ["polarity_30d"]]


def test_a_log_without_items_is_refused_in_one_line(encoder: str, events: Path, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "log").mkdir()
    assert main(["consistency", str(tmp_path / "log"), str(events), "--entity", "item"]) == 2
    err = capsys.readouterr().err
    assert "expected the folder of WHEREWITHAL_SERVED_LOG with its parts, found none" in err
    assert err.count("\n") == 1


@pytest.mark.usefixtures("broker")
async def test_what_a_flow_serves_of_items_is_what_the_history_says(tmp_path: Path) -> None:
    lines = random_lines(seed=17, events=500, users=30)
    (tmp_path / "events.ndjson").write_bytes(b"".join(line + b"\n" for _, line in encoded(lines)))
    settings = quick_settings(tmp_path / "flow", items=True, served_log=tmp_path / "log")
    await run_flow(settings, encoded(lines))
    inference = load_inference(settings, Metrics(), HashEncoder())
    for folder in ("users", "items"):
        (tmp_path / folder).mkdir()
    history = History(settings, inference, [tmp_path / "events.ndjson"], tmp_path / "users", keeps_lives=True)
    items = ItemHistory(history, tmp_path / "items", 1)
    await inference.batcher.start()
    report = await compare_items(history, items, log_parts(tmp_path / "log" / ITEMS_FOLDER), 3)
    await inference.batcher.stop()
    assert not report.differences
    assert (report.mismatches, report.extra, report.missing) == (0, 0, 0)
    # Of each item the last row at least.
    assert report.equal >= items.items > 0
