"""What was served against the history: equal, late, wrong, extra, missing and erased rows, told apart."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.encoders import HashEncoder
from support.runs import quick_settings, run_flow
from support.shoppers import BASE, encoded, random_lines

from features.observation import Observation
from features.online import OnlineRow
from features.tiles import DAY, HOUR
from features.users.catalogue import NAMES
from features.users.row import profile, scalars, taste
from features.users.state import UserState
from models.text.cleaning import clean
from models.text.noise import is_noisy
from streams.cli.main import main
from streams.exceptions import ConfigurationError
from streams.inference.loading import Inference, load_inference
from streams.offline.history.comparison import Report
from streams.offline.history.consistency import compare
from streams.offline.history.folding import History
from streams.offline.history.log_parts import log_parts
from streams.records.decoder import Decoder
from streams.records.events import Click, Review, Search, text_of, title_of
from streams.records.ndjson import Record, parse_line
from streams.records.observer import Observer, Reading
from streams.settings import load_settings
from streams.telemetry.metrics import Metrics
from streams.telemetry.served_log import ServedLog, is_sampled

Line = dict[str, Any]


def models(*_: object, **__: object) -> Inference:
    return load_inference(load_settings(), Metrics(), HashEncoder())


def click(user: str, number: int, timestamp: int, **more: Any) -> Line:
    common = {"event_id": f"c{number}", "user_id": user, "item_id": "i", "action": "view", "timestamp": timestamp}
    return {"topic": "clicks", "value": common | more}


def search(user: str, number: int, timestamp: int, query: str = "jazz vinyl") -> Line:
    value = {"event_id": f"s{number}", "user_id": user, "query": query, "timestamp": timestamp}
    return {"topic": "searches", "value": value}


def observed(lines: list[Line], inference: Inference) -> Iterator[tuple[str, Observation]]:
    """The user and observation of each line, its place for an offset."""
    decoder, observer, encoder = Decoder(), Observer(inference.artefact.categories), HashEncoder()
    for place, line in encoded(lines):
        record = parse_line(line)
        assert isinstance(record, Record)
        event = decoder.decode(record.topic, record.key, record.value, BASE)
        assert isinstance(event, Review | Search | Click)
        text = title_of(event) or text_of(event)
        reading = Reading(is_noisy(text), None)
        if clean(text) and not reading.noisy:
            reading = Reading(False, inference.projection.apply(encoder.embed(encoder.tokenize([clean(text)])))[0])
        yield event.user_id, observer.observe(event, place, reading)


def served(lines: list[Line], as_of: int | None) -> Iterator[OnlineRow]:
    """The row that is to be served after each line."""
    inference = models()
    states: defaultdict[str, UserState] = defaultdict(UserState)
    for user_id, seen in observed(lines, inference):
        state = states[user_id]
        state.apply(seen, inference.encoder)
        instant = state.instant(as_of)
        yield OnlineRow(
            user_id=user_id,
            fence=(1, state.sequence, BASE + seen.offset),
            scalars=scalars(state, instant),
            event_time=instant,
            revision=state.revision,
            profile=profile(state, inference.encoder).tobytes(),
            taste=taste(state, inference.encoder).tobytes(),
            titles_waiting=len(state.waiting),
            encoder=inference.encoder,
            score=50.0,
            expected_spend=1.0,
            tier="medium",
            scorer="scorer",
        )


def logged(folder: Path, lines: list[Line], *, as_of: int | None = None, share: float = 1.0) -> Path:
    """The log of a worker that serves a row after each line."""
    log = ServedLog(folder / "log", share, Metrics())
    log.take(list(served(lines, as_of)))
    log.stop()
    return folder / "log"


def rewrite(log: Path, change: Any) -> None:
    """Change the rows of a log, given as dictionaries; None removes one."""
    for part in log_parts(log):
        table = pq.read_table(part)
        rows = [changed for row in table.to_pylist() if (changed := change(row)) is not None]
        pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), part)


def judge(folder: Path, log: Path, lines: list[Line]) -> Report:
    events = folder / "events.ndjson"
    events.write_bytes(b"".join(line + b"\n" for _, line in encoded(lines)))
    spilled = folder / "spilled"
    spilled.mkdir(exist_ok=True)
    inference = models()

    async def work() -> Report:
        await inference.batcher.start()
        try:
            history = History(load_settings(), inference, [events], spilled)
            return await compare(history, log_parts(log), inference.encoder, limit=5)
        finally:
            await inference.batcher.stop()

    return asyncio.run(work())


def by_topic(lines: list[Line]) -> list[Line]:
    """The same lines as a dump of one topic after the other has them."""
    return sorted(lines, key=lambda line: line["topic"])


@pytest.mark.usefixtures("broker")
async def test_what_a_flow_serves_is_what_the_history_says(tmp_path):
    lines = random_lines(seed=31, events=200, users=10)
    changes = {"served_log": tmp_path / "log", "freshness_ms": 1, "online_batch_rows": 1, "batch_records": 20}
    await run_flow(quick_settings(tmp_path / "state", **changes), encoded(lines))
    report = await asyncio.to_thread(judge, tmp_path, tmp_path / "log", by_topic(lines))
    assert report.equal >= 10
    assert report.equal + report.late == report.logged
    assert report.mismatches == report.extra == report.missing == report.erased == 0


@pytest.mark.parametrize("as_of", [None, BASE])
def test_rows_served_before_late_events_are_told_apart_however_the_topics_interleave(tmp_path, as_of):
    lines = random_lines(seed=32, events=300, users=12)
    log = logged(tmp_path, lines, as_of=as_of)
    report = judge(tmp_path, log, by_topic(lines))
    assert report.equal >= 12
    assert report.late > 100
    assert report.equal + report.late == report.logged == len(lines)


def test_events_in_order_of_time_leave_nothing_late(tmp_path):
    lines = {line["value"]["timestamp"]: line for line in random_lines(seed=33, events=200, users=8)}
    lines = [lines[timestamp] for timestamp in sorted(lines)]
    report = judge(tmp_path, logged(tmp_path, lines), lines)
    assert report.equal == report.logged == len(lines)


def test_a_wrong_value_is_named_with_both(tmp_path):
    lines = [click("a", 1, BASE), search("b", 3, BASE)]
    log = logged(tmp_path, lines)
    wrong = [1.0] + [0.0] * 63
    changes = {"a": {"views_1h": 7, "mean_rating_30d": 2.5}, "b": {"profile_vector": wrong, "taste_vector": wrong}}
    rewrite(log, lambda row: row | changes[row["user_id"]])
    report = judge(tmp_path, log, lines)
    assert report.mismatches == report.logged == 2
    found = {difference.key: difference.features for difference in report.differences}
    assert found["a"] == {"views_1h": (7, 1), "mean_rating_30d": (2.5, None)}
    assert set(found["b"]) == {"profile_vector", "taste_vector"}


def test_a_taste_vector_that_titles_were_waited_for_is_not_compared(tmp_path):
    lines = [click("u", 1, BASE, title="blues on vinyl")]
    log = logged(tmp_path, lines)
    rewrite(log, lambda row: row | {"titles_waiting": 1, "taste_vector": [0.0] * 64})
    assert judge(tmp_path, log, lines).equal == 1
    rewrite(log, lambda row: row | {"titles_waiting": 0})
    assert judge(tmp_path, log, lines).mismatches == 1


@pytest.mark.parametrize(
    "feature", ["views_24h", "lifetime_spend", "tenure_days", "searches_30d", "profile_vector", "taste_vector"]
)
def test_a_wrong_row_of_a_lower_revision_is_no_late_arrival(tmp_path, feature):
    early = [click("u", n, BASE - n * DAY // 4, action="purchase", price=2.5, title=f"title {n}") for n in range(3)]
    early += [search("u", n, BASE - n * DAY // 4, f"query {n}") for n in range(3)]
    late = [click("u", 9, BASE - DAY), search("u", 9, BASE - DAY, "another query")]
    log = logged(tmp_path, early, as_of=BASE)
    # Before the first search there is no vector that could be wrong.
    rewrite(log, lambda row: row if row["revision"] > 3 else None)
    report = judge(tmp_path, log, early + late)
    assert (report.late, report.logged) == (3, 3)

    def change(row: dict[str, Any]) -> dict[str, Any]:
        wrong = np.roll(row[feature], 1).tolist() if feature.endswith("_vector") else row[feature] + 1
        return row | {feature: wrong}

    rewrite(log, change)
    report = judge(tmp_path, log, early + late)
    assert (report.late, report.mismatches) == (0, 3)


def test_users_that_only_one_side_knows_are_named(tmp_path):
    log = logged(tmp_path, [click("both", 1, BASE), click("logged only", 2, BASE)])
    report = judge(tmp_path, log, [click("both", 1, BASE), click("history only", 3, BASE)])
    assert (report.extra, report.extra_keys) == (1, ["logged only"])
    assert (report.missing, report.missing_keys) == (1, ["history only"])
    assert report.equal == 1


def test_a_user_outside_of_the_sample_is_not_missing(tmp_path):
    lines = [click(f"u{number}", number, BASE) for number in range(40)]
    report = judge(tmp_path, logged(tmp_path, lines, share=0.5), lines)
    sampled = [number for number in range(40) if is_sampled(f"u{number}", 0.5)]
    assert 0 < len(sampled) < 40
    assert (report.share, report.equal, report.missing) == (0.5, len(sampled), 0)


def test_a_row_of_more_events_than_the_history_holds_is_wrong(tmp_path):
    lines = [click("u", 1, BASE), click("u", 2, BASE - 40 * DAY)]
    report = judge(tmp_path, logged(tmp_path, lines), lines[:1])
    assert (report.equal, report.mismatches) == (1, 1)
    assert report.differences[0].features["revision"] == (2, 1)


def test_rows_of_users_erased_since_are_apart(tmp_path):
    lines = [click("gone", 1, BASE), click("stays", 2, BASE)]
    erased = [*lines, {"topic": "erasures", "value": {"user_id": "gone", "timestamp": BASE}}]
    report = judge(tmp_path, logged(tmp_path, lines), erased)
    assert (report.erased, report.equal, report.mismatches, report.extra) == (1, 1, 0, 0)


def test_vectors_of_another_encoder_are_not_compared_and_counted(tmp_path):
    lines = [search("u", 1, BASE), click("u", 2, BASE)]
    log = logged(tmp_path, lines)
    rewrite(log, lambda row: row | {"encoder": "another@1", "profile_vector": [0.0] * 64})
    report = judge(tmp_path, log, lines)
    assert report.equal + report.late == report.vectors_not_compared == report.logged == 2


def test_a_feature_that_an_earlier_release_did_not_log_is_named_and_the_rest_is_compared(tmp_path):
    lines = [click("u", 1, BASE), search("u", 3, BASE), click("u", 2, BASE - HOUR)]
    log = logged(tmp_path, lines)
    for part in log_parts(log):
        table = pq.read_table(part)
        pq.write_table(table.drop_columns(NAMES[-2:]), part)
    report = judge(tmp_path, log, lines)
    assert report.features_not_logged == list(NAMES[-2:])
    assert (report.mismatches, report.logged, report.equal + report.late) == (0, 3, 3)
    rewrite(log, lambda row: row | {"views_24h": 9})
    assert judge(tmp_path, log, lines).mismatches == 3


@pytest.mark.parametrize("gone", [NAMES[:1], NAMES], ids=["an old feature", "every feature"])
def test_a_file_without_features_that_every_release_logged_is_no_part_of_a_log(tmp_path, gone):
    lines = [click("u", 1, BASE)]
    log = logged(tmp_path, lines)
    for part in log_parts(log):
        pq.write_table(pq.read_table(part).drop_columns(list(gone)), part)
    with pytest.raises(ConfigurationError, match="expected a part of the log"):
        judge(tmp_path, log, lines)


def test_the_command_fails_on_a_mismatch_only(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("streams.inference.loading.load_inference", models)
    lines = [click("u", number, BASE - number % 7 * DAY) for number in range(20)]
    log = logged(tmp_path, lines)
    events = tmp_path / "events.ndjson"
    events.write_bytes(b"".join(line + b"\n" for _, line in encoded(lines)))
    words = ["consistency", str(log), str(events), "--limit", "1"]
    assert main([*words, "--json"]) == 0
    report = orjson.loads(capsys.readouterr().out)
    assert report["logged"] == report["equal"] + report["late"] == 20
    assert report["differences"] == []
    rewrite(log, lambda row: row | {"carts_7d": 9})
    assert main(words) == 1
    assert "carts_7d: served 9, offline 0" in capsys.readouterr().out
    assert main([*words, "--json"]) == 1
    (difference,) = orjson.loads(capsys.readouterr().out)["differences"]
    assert difference["features"]["carts_7d"] == {"served": 9, "offline": 0}
    assert set(difference) == {"user_id", "event_time", "revision", "emitted_at", "features"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["log", "nowhere.ndjson"], "expected a file of events, found none"),
        (["nowhere", "events.ndjson"], "expected the folder of WHEREWITHAL_SERVED_LOG"),
        (["empty", "events.ndjson"], "expected the folder of WHEREWITHAL_SERVED_LOG"),
        (["other.parquet", "events.ndjson"], "expected a part of the log of what was served"),
        (["log", "events.ndjson", "--limit", "-1"], "--limit: expected at least 0"),
    ],
)
def test_wrong_arguments_are_told_in_one_line(words, message, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("streams.inference.loading.load_inference", models)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "events.ndjson").write_bytes(encoded([click("u", 1, BASE)])[0][1])
    (tmp_path / "empty").mkdir()
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    assert main(["consistency", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
