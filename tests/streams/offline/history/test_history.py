"""Features of a history: equal to what is served, as Feast's offline store reads them and as rows to train on."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support import reference
from support.encoders import HashEncoder, SwitchableEncoder
from support.runs import quick_settings, run_flow
from support.shoppers import BASE, encoded, random_lines

from features.tiles import DAY, HOUR
from features.users.catalogue import NAMES
from models.text.cleaning import clean
from models.text.noise import is_noisy
from streams.cli.main import main
from streams.exceptions import ConfigurationError
from streams.inference.loading import Inference, load_inference
from streams.offline.history import output, spill
from streams.offline.history.instants import parse_instants, parse_step, read_entities, regular
from streams.offline.history.output import Plan, Written, check_output, write_history
from streams.offline.history.refused import Refused
from streams.offline.training.categories import FILE_NAME as CATEGORIES_FILE
from streams.offline.training.categories import Choice, chosen
from streams.offline.training.rows_file import FILE_NAME, TrainingRows, read_training_rows, schema
from streams.settings import load_settings
from streams.sources.reading import check_sources
from streams.telemetry.metrics import Metrics

Line = dict[str, Any]


def models(encoder: HashEncoder | None = None) -> Inference:
    """New ones for each fold: a micro-batcher lives on one event loop."""
    return load_inference(load_settings(), Metrics(), encoder or HashEncoder())


@pytest.fixture
def quick_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the command load models that cost nothing."""
    monkeypatch.setattr("streams.inference.loading.load_inference", lambda *_, **__: models())


def write_lines(path: Path, lines: list[Line]) -> Path:
    path.write_bytes(b"".join(line + b"\n" for _, line in encoded(lines)))
    return path


def click(user: str, number: int, timestamp: int, action: str = "view", **more: Any) -> Line:
    common = {"event_id": f"c{number}", "user_id": user, "item_id": "i", "action": action, "timestamp": timestamp}
    return {"topic": "clicks", "value": common | more}


def titled(lines: list[Line]) -> list[Line]:
    """The lines with titles on most clicks, noisy and empty ones among them, purchases in orders, and some refunds."""
    rng = random.Random(5)
    titles = ("jazz on vinyl", "黑胶唱片", "", "加微信 vx123456 免费领取", "rock 🎸 cd", "<b>blues</b>")
    for line in lines:
        if line["topic"] == "clicks" and "title" not in line["value"]:
            line["value"] |= {"title": rng.choice(titles), "order_id": f"o{rng.randrange(30)}"}
            if rng.random() < 0.1:
                line["value"]["action"] = "refund"
    return lines


def fold(folder: Path, lines: list[Line], plan: Plan, *, targets: bool = False) -> Written:
    folder.mkdir(exist_ok=True)
    events = write_lines(folder / "events.ndjson", lines)
    return write_history(load_settings(), models(), [events], plan, folder / "made", targets)


def rows_of(folder: Path) -> TrainingRows:
    return read_training_rows(folder / "made")


def value(rows: TrainingRows, place: int, name: str) -> float:
    return float(rows.values[place, NAMES.index(name)])


def historical(folder: Path, asked: list[tuple[str, int]]) -> list[dict[str, Any]]:
    """What Feast's offline store gives of the features, for each (user, instant)."""
    from features.repository import SERVICE_V2, apply

    store = apply(folder, f"sqlite:///{folder}/online.db")
    instants = [datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=instant) for _, instant in asked]
    entities = pandas.DataFrame({"user_id": [user for user, _ in asked], "event_timestamp": instants})
    service = store.get_feature_service(SERVICE_V2)
    frame = store.get_historical_features(entity_df=entities, features=service, full_feature_names=True).to_df()
    found: list[dict[str, Any]] = frame.to_dict("records")
    return found


# Served = offline


@pytest.mark.usefixtures("broker")
async def test_what_feast_reads_of_a_history_is_what_was_served_at_random_times(tmp_path):
    rng = random.Random(11)
    lines = random_lines(seed=11, events=1500, users=40)
    instants = sorted(BASE - rng.randrange(50 * DAY) for _ in range(2))
    served: dict[tuple[str, int], dict[str, Any]] = {}
    for instant in instants:
        past = [line for line in lines if line["value"]["timestamp"] <= instant]
        run = await run_flow(quick_settings(tmp_path / str(instant)), encoded(past), as_of=instant)
        served |= {(user, instant): row for user, row in run.features.items()}
    newest = await run_flow(quick_settings(tmp_path / "newest"), encoded(lines))
    served |= {(user, row["event_time"]): row for user, row in newest.features.items()}
    assert len(served) > 90
    entities = [(user, row["event_time"]) for user, row in newest.features.items()]

    written = await asyncio.to_thread(fold, tmp_path / "offline", lines, Plan(instants=instants, entities=entities))
    assert written.account.events_applied == 1500
    assert written.account.duplicates == len(lines) - 1500
    asked = list(served)
    rows = historical(tmp_path / "offline" / "made", asked)
    assert len(rows) == len(asked)
    for row in rows:
        instant = row["user_behavior__event_time"]
        wanted = served[row["user_id"], instant]
        assert row["event_timestamp"] == pandas.Timestamp(instant, unit="ms", tz="UTC")
        for name in (*NAMES, "revision"):
            found = row[f"user_behavior__{name}"]
            assert (None if pandas.isna(found) else found) == wanted[name], (row["user_id"], instant, name)
        np.testing.assert_allclose(row["user_profile__profile_vector"], wanted["profile_vector"], atol=1e-5)
        assert row["user_profile__encoder"] == wanted["encoder"]
        assert row["user_profile__revision"] == row["purchasing_power__revision"] == wanted["revision"]
        assert 0 <= row["purchasing_power__score"] <= 100


@pytest.mark.usefixtures("broker")
async def test_an_erasure_is_obeyed_as_the_stream_obeys_it(tmp_path):
    lines = [click("gone", 1, BASE - DAY), click("stays", 2, BASE), click("back", 3, BASE - DAY)]
    lines += [{"topic": "erasures", "value": {"user_id": user, "timestamp": BASE}} for user in ("gone", "back")]
    lines += [click("gone", 4, BASE - HOUR), click("back", 5, BASE + 1), click("back", 3, BASE + 2)]
    run = await run_flow(quick_settings(tmp_path / "served"), encoded(lines), as_of=BASE + DAY)
    plan = Plan(instants=[BASE - HOUR, BASE, BASE + DAY])
    written = await asyncio.to_thread(fold, tmp_path / "offline", lines, plan)
    rows = rows_of(tmp_path / "offline")
    assert list(zip(rows.users, rows.instants.tolist(), strict=True)) == [
        ("back", BASE + DAY),
        ("stays", BASE),
        ("stays", BASE + DAY),
    ], "nothing that arrived before an erasure is in any row"
    assert {user: row["revision"] for user, row in run.features.items()} == {"back": 2, "stays": 1}
    assert rows.revisions.tolist() == [2, 1, 1]
    account = written.account
    assert (account.events_in, account.events_applied, account.erased, account.users) == (6, 3, 3, 2)


# The rows


def test_each_row_holds_what_brute_force_says(tmp_path):
    lines = titled(random_lines(seed=4, events=600, users=15))
    written = fold(tmp_path, lines, Plan(step=15 * DAY))
    rows = rows_of(tmp_path)
    clicked = (line["value"] for line in lines if line["topic"] == "clicks")
    titles = {click["title"].encode()[:1024].decode(errors="ignore") for click in clicked}
    says_something = [title for title in titles if clean(title) and not is_noisy(title)]
    assert written.titles_read == len(says_something) > 3, "each distinct one, once"
    from support.shoppers import raw_events

    events = raw_events(lines, models().projection)
    assert len(rows.users) > 100
    assert {instant % (15 * DAY) for instant in rows.instants.tolist()} == {0}
    for place, (user, instant) in enumerate(zip(rows.users, rows.instants.tolist(), strict=True)):
        past = [event for event in events[user] if event.timestamp <= instant]
        wanted = reference.features(past, instant)
        for name in NAMES:
            found = value(rows, place, name)
            assert (None if np.isnan(found) else found) == wanted[name], (user, instant, name)
        np.testing.assert_allclose(rows.profiles[place], wanted["profile_vector"], atol=1e-5)
        np.testing.assert_allclose(rows.tastes[place], wanted["taste_vector"], atol=1e-5)
    assert rows.tastes.any()


def test_a_title_that_fails_alone_counts_as_noisy_and_is_no_dead_letter(tmp_path):
    lines = [click("u", 1, BASE, "purchase", title="a POISON"), click("u", 2, BASE, title="a POISON")]
    events = write_lines(tmp_path / "events.ndjson", lines)
    plan = Plan(instants=[BASE])
    written = write_history(load_settings(), models(SwitchableEncoder()), [events], plan, tmp_path / "made", False)
    assert (written.account.events_applied, written.account.dead_letters, written.titles_read) == (2, 0, 0)
    assert not rows_of(tmp_path).tastes.any()


def test_the_target_is_what_was_spent_in_the_30_days_after_and_null_where_they_are_not_over(tmp_path):
    lines = [
        click("u", 1, BASE, "purchase", price=100.0),
        click("u", 2, BASE + 1, "purchase", price=0.1, quantity=3),
        click("u", 2, BASE + 1, "purchase", price=0.1, quantity=3),
        click("u", 3, BASE + 30 * DAY, "purchase", price=20.0),
        click("u", 4, BASE + 30 * DAY + 1, "purchase", price=4000.0),
        click("quiet", 5, BASE - DAY),
    ]
    fold(tmp_path, lines, Plan(instants=[BASE, BASE + 1, BASE + 2]), targets=True)
    rows = rows_of(tmp_path)
    assert rows.users == ["quiet"] * 3 + ["u"] * 3
    assert rows.spend_after is not None
    assert rows.spend_after[:2].tolist() == [0.0, 0.0]
    assert rows.spend_after[3:5].tolist() == [20.3, 4020.0]
    assert np.isnan(rows.spend_after[[2, 5]]).all()
    fold(tmp_path / "without", lines, Plan(instants=[BASE]))
    assert rows_of(tmp_path / "without").spend_after is None


def test_every_line_is_accounted_for(tmp_path):
    review = {"item_id": "i", "rating": 5, "timestamp": BASE, "user_id": "u"}
    lines = [
        click("u", 1, BASE),
        click("u", 1, BASE),
        click("u", 2, BASE, price=-1),
        {"topic": "clicks", "key": "u", "raw": "not json"},
        {"topic": "orders", "value": {}},
        {"topic": "reviews", "value": review | {"event_id": "1", "text": "POISON here"}},
        {"topic": "reviews", "value": review | {"event_id": "2", "text": "fine sound"}},
        {"topic": "reviews", "value": review | {"event_id": "3", "text": "fine sound"}},
        {"topic": "erasures", "value": {"user_id": "nobody", "timestamp": BASE}},
    ]
    events = write_lines(tmp_path / "events.ndjson", lines)
    inference = models(SwitchableEncoder())
    written = write_history(load_settings(), inference, [events], Plan([BASE]), tmp_path / "made", targets=False)
    account = written.account
    assert (account.events_in, account.events_applied, account.duplicates, account.dead_letters) == (8, 3, 1, 4)
    assert written.texts_read == 1, "equal texts are read once"


def test_what_is_refused_is_led_back_to_its_line_and_written_down(tmp_path, monkeypatch):
    monkeypatch.setattr(spill, "BUCKET_BYTES", 300)
    review = {"item_id": "i", "rating": 5, "timestamp": BASE, "user_id": "u"}
    first = write_lines(
        tmp_path / "a.ndjson", [click("u", 1, BASE), click("u", 2, BASE, price=-1), click("v", 3, BASE)]
    )
    more = [
        {"topic": "reviews", "value": review | {"event_id": "1", "text": "POISON here"}},
        click("v", 3, BASE),
        click("u", 1, BASE),
        {"topic": "clicks", "key": "u", "raw": "not json"},
        {"topic": "erasures", "value": {"user_id": 7, "timestamp": BASE}},
    ]
    second = write_lines(tmp_path / "b.ndjson", more)
    with (tmp_path / "dead").open("wb") as letters:
        refused = Refused(letters, max_share=0.5)
        inference = models(SwitchableEncoder())
        files = [first, second]
        written = write_history(
            load_settings(), inference, files, Plan([BASE]), tmp_path / "made", targets=False, refused=refused
        )
    told = {(kind.reason, kind.count, str(refused.places.place(kind.first))) for kind in refused.refusals}
    assert told == {
        ("invalid", 1, f"{first}:2"),
        ("encoder_failed", 1, f"{second}:1"),
        ("malformed", 1, f"{second}:4"),
        ("invalid", 1, f"{second}:5"),
    }
    assert (written.account.dead_letters, refused.read) == (3, 8), "erasures are not counted as events"
    assert str(written.first_duplicate) == f"{second}:2"
    found = [orjson.loads(line) for line in (tmp_path / "dead").read_bytes().splitlines()]
    assert sorted((letter["file"], letter["line"], letter["topic"], letter["key"]) for letter in found) == [
        (str(first), 2, "clicks", "u"),
        (str(second), 1, "reviews", "u"),
        (str(second), 4, "clicks", "u"),
        (str(second), 5, "erasures", None),
    ]
    raw = {letter["reason"]: letter["raw"] for letter in found}
    assert raw["malformed"] == "not json"
    assert orjson.loads(raw["encoder_failed"])["text"] == "POISON here"


def test_a_history_of_which_too_much_is_refused_is_not_folded(tmp_path, capsys, quick_models):
    events = write_lines(tmp_path / "events.ndjson", [click("u", 1, BASE), *[click("u", 2, BASE, price=-1)] * 2])
    words = ["history", str(events), "--at", str(BASE), "--output", str(tmp_path / "out")]
    assert main([*words, "--dead-letters", str(tmp_path / "dead")]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    *_, kind, line = said.err.splitlines()
    assert kind.startswith(f"          2  {events}:2: invalid: price: expected")
    assert line.startswith(
        "wherewithal history: expected at most 0.5 of the lines refused (--max-refused), found 2 of 3"
    )
    assert not (tmp_path / "out").exists()
    assert len((tmp_path / "dead").read_bytes().splitlines()) == 2
    assert main([*words, "--max-refused", "0.7"]) == 0


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([{"topic": "erasures", "value": {"user_id": "u", "timestamp": BASE}}], "expected events, found none"),
        ([click("u", 1, BASE, price=-1)], "expected events that count, found none"),
        ([click("u", 1, BASE)], "expected an instant by which a user has an event, found none"),
    ],
)
def test_no_row_is_never_silent(lines, reason, tmp_path, capsys, quick_models):
    events = write_lines(tmp_path / "events.ndjson", lines)
    words = ["history", str(events), "--at", str(BASE - 1), "--output", str(tmp_path / "out"), "--max-refused", "1"]
    assert main(words) == 1
    assert f"wherewithal history: {reason}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_command_says_how_many_instants_and_rows_have_a_target(tmp_path, capsys, quick_models):
    lines = [click("u", 1, BASE), click("v", 2, BASE + 40 * DAY)]
    events = write_lines(tmp_path / "events.ndjson", lines)
    at = f"{BASE},{BASE + 10 * DAY},{BASE + 40 * DAY}"
    words = ["history", str(events), "--targets", "--at", at]
    assert main([*words, "--output", str(tmp_path / "one"), "--json"]) == 0
    summary = orjson.loads(capsys.readouterr().out)
    assert (summary["instants"], summary["instants_with_target"]) == (3, 2)
    assert (summary["rows"], summary["rows_with_target"]) == (4, 2)
    assert main([*words, "--output", str(tmp_path / "two")]) == 0
    assert "2 of 3 instants and 2 of 4 rows have a target; of the others, the 30 days after" in capsys.readouterr().out
    assert (
        main(["history", str(events), "--targets", "--at", str(BASE + 40 * DAY), "--output", str(tmp_path / "3")]) == 0
    )
    assert "no row has a target: the 30 days after are not over by the newest event" in capsys.readouterr().err


def test_a_history_of_many_buckets_and_parts_gives_the_same_rows(tmp_path, monkeypatch):
    lines = titled(random_lines(seed=6, events=400, users=30))
    plan = Plan(instants=[BASE - 10 * DAY, BASE], entities=[("user-1", BASE - DAY), ("nobody", BASE)])
    fold(tmp_path / "one", lines, plan)
    monkeypatch.setattr(spill, "BUCKET_BYTES", 4000)
    monkeypatch.setattr(output, "ROWS_IN_PART", 7)
    fold(tmp_path / "many", lines, plan)
    one, many = (pq.read_table(tmp_path / name / "made" / FILE_NAME).to_pylist() for name in ("one", "many"))
    order = lambda row: (row["user_id"], row["instant"])  # noqa: E731
    assert sorted(one, key=order) == sorted(many, key=order)
    assert ("user-1", BASE - DAY) in map(order, one)
    assert len(list((tmp_path / "many" / "made" / "offline").iterdir())) == -(-len(one) // 7)


# Where it comes from


def test_parquet_gives_the_rows_of_ndjson(tmp_path):
    lines = random_lines(seed=7, events=300, users=12)
    plan = Plan(instants=[BASE - 5 * DAY, BASE])
    fold(tmp_path, lines, plan)
    records = [{"topic": line["topic"], "value": orjson.dumps(line["value"]).decode()} for line in lines]
    flat = [{"topic": line["topic"]} | line["value"] for line in lines]
    frame = pandas.DataFrame(flat)
    frame["timestamp"] = pandas.to_datetime(frame["timestamp"], unit="ms", utc=True)
    frame.to_parquet(tmp_path / "flat.parquet")
    pandas.DataFrame(records).to_parquet(tmp_path / "unkeyed.parquet")
    keyed = [row | {"key": line["value"]["user_id"]} for row, line in zip(records, lines, strict=True)]
    pandas.DataFrame(keyed).to_parquet(tmp_path / "keyed.parquet")
    wanted = pq.read_table(tmp_path / "made" / FILE_NAME)
    for name in ("flat", "unkeyed", "keyed"):
        source = tmp_path / f"{name}.parquet"
        check_sources([source])
        write_history(load_settings(), models(), [source], plan, tmp_path / name, targets=False)
        assert pq.read_table(tmp_path / name / FILE_NAME).equals(wanted), name


def test_with_its_kafka_timestamp_an_event_from_the_future_is_rejected_as_it_was_then(tmp_path):
    event = click("u", 1, BASE)["value"]
    arrived = [BASE - DAY - 1, BASE - DAY]
    rows = [{"topic": "clicks", "kafka_timestamp": at} | event | {"event_id": str(at)} for at in arrived]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "events.parquet")
    written = write_history(
        load_settings(), models(), [tmp_path / "events.parquet"], Plan([BASE]), tmp_path / "made", False
    )
    assert (written.account.events_applied, written.account.dead_letters) == (1, 1)


def test_instants_come_as_numbers_or_texts_or_files(tmp_path):
    assert parse_instants("2025-10-09T08:53:20Z, 1759000000000") == [1_759_000_000_000, BASE]
    assert parse_step("30d") == 30 * DAY
    assert parse_step("12h") == 12 * HOUR
    assert regular(DAY, 5 * DAY + 1, 7 * DAY) == [6 * DAY, 7 * DAY]
    stamps = pandas.to_datetime([BASE, BASE + 1], unit="ms", utc=True)
    frame = pandas.DataFrame({"user_id": ["a", "b"], "event_timestamp": stamps, "label": [0, 1]})
    frame.to_parquet(tmp_path / "entities.parquet")
    frame.rename(columns={"event_timestamp": "timestamp"}).to_csv(tmp_path / "entities.csv", index=False)
    wanted = [("a", BASE), ("b", BASE + 1)]
    assert list(read_entities(tmp_path / "entities.parquet")) == wanted
    assert list(read_entities(tmp_path / "entities.csv")) == wanted


@pytest.mark.parametrize("text", ["yesterday", "2025-10-09T08:53:20", "", "1,", "99999999999999999"])
def test_what_is_no_instant_is_refused(text):
    with pytest.raises(ConfigurationError, match="--at: expected epoch milliseconds or RFC 3339"):
        parse_instants(text)


@pytest.mark.parametrize("text", ["30", "0d", "-1d", "1m", "d"])
def test_what_is_no_step_is_refused(text):
    with pytest.raises(ConfigurationError, match="--every: expected"):
        parse_step(text)


def test_a_step_that_gives_instants_without_end_is_refused():
    with pytest.raises(ConfigurationError, match="use a longer step"):
        regular(HOUR, 0, 10**6 * HOUR)


# The command


def test_the_command_writes_a_folder_and_says_what_became_of_the_events(tmp_path, capsys, quick_models):
    events = write_lines(tmp_path / "events.ndjson", random_lines(seed=9, events=100, users=5))
    words = ["history", str(events), "--every", "30d", "--targets", "--output", str(tmp_path / "out"), "--json"]
    assert main(words) == 0
    summary = orjson.loads(capsys.readouterr().out)
    rows = read_training_rows(tmp_path / "out")
    assert summary["events_in"] == summary["events_applied"] + summary["duplicates"]
    assert summary["rows"] == len(rows.users) > 0
    assert summary["encoder"] == models().encoder
    assert rows.encoders == [models().encoder]
    assert pq.read_schema(tmp_path / "out" / FILE_NAME).equals(schema(targets=True))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.ndjson", "out"]
    assert main(words) == 2
    assert "expected a new or empty folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere.ndjson", "--at", "0"], "expected a file of events, found none"),
        (["events.ndjson", "--at", "soon"], "--at: expected epoch milliseconds"),
        (["events.ndjson", "--at", "nowhere.csv"], "--at: expected a file of users and instants"),
        (["events.ndjson", "--at", "entities.csv"], "expected the columns `user_id` and `timestamp`"),
        (["events.ndjson", "--every", "soon"], "--every: expected"),
        (["events.ndjson"], "one of the arguments --at --every is required"),
        (["no.parquet", "--at", "0"], "expected a Parquet file"),
        (["other.parquet", "--at", "0"], "expected the columns `topic` and `value`"),
        (["events.ndjson", "--at", "0", "--output", "none/made"], "expected a new or empty folder in one that exists"),
    ],
)
def test_wrong_arguments_are_told_in_one_line(words, message, tmp_path, capsys, monkeypatch, quick_models):
    monkeypatch.chdir(tmp_path)
    write_lines(tmp_path / "events.ndjson", [click("u", 1, BASE)])
    (tmp_path / "entities.csv").write_text("who,when\nu,1\n")
    (tmp_path / "no.parquet").write_text("no")
    pandas.DataFrame({"a": [1]}).to_parquet(tmp_path / "other.parquet")
    before = sorted(path.name for path in tmp_path.iterdir())
    try:
        code = main(["history", *words])
    except SystemExit as exit:
        code = exit.code
    error = capsys.readouterr().err
    assert code == 2
    assert message in error
    assert error.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before, "nothing is left behind"


def test_a_folder_that_holds_something_is_refused(tmp_path):
    check_output(tmp_path / "new")
    (tmp_path / "empty").mkdir()
    check_output(tmp_path / "empty")
    with pytest.raises(ConfigurationError, match="new or empty"):
        check_output(tmp_path)


def replaced(table, name, values):
    return table.set_column(table.schema.get_field_index(name), name, values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop_columns(["views_1h"]), "found no views_1h: fold the history again with this release"),
        (lambda table: replaced(table, "views_1h", pa.array(["many"])), "expected the types"),
        (lambda table: replaced(table, "profile_vector", pa.array([[1.0]])), "64 numbers"),
    ],
)
def test_a_file_of_other_rows_is_refused(change, message, tmp_path):
    fold(tmp_path, [click("u", 1, BASE)], Plan([BASE]))
    table = pq.read_table(tmp_path / "made" / FILE_NAME)
    pq.write_table(change(table), tmp_path / "changed.parquet")
    with pytest.raises(ConfigurationError, match=message):
        read_training_rows(tmp_path / "changed.parquet")


async def test_the_categories_of_the_applied_events_are_counted_beside_the_rows(tmp_path: Path) -> None:
    lines = [
        click("a", 1, BASE - 9 * DAY, category="hats"),
        click("a", 1, BASE - 9 * DAY, category="hats"),
        click("a", 2, BASE - 8 * DAY, category='caps, "woollen"\n'),
        click("a", 3, BASE - 7 * DAY, category="hats"),
        click("a", 4, BASE - 7 * DAY),
        click("b", 5, BASE - 6 * DAY, category="hats"),
        click("b", 6, BASE - 6 * DAY, category=""),
        click("gone", 7, BASE - 5 * DAY, category="secret"),
        {"topic": "erasures", "value": {"user_id": "gone", "timestamp": BASE}},
        {"topic": "clicks", "value": {"category": "broken"}},
    ]
    await asyncio.to_thread(fold, tmp_path, lines, Plan(instants=[BASE]))
    assert chosen(Choice(), tmp_path / "made") == ("hats", 'caps, "woollen"\n')
    counted = (tmp_path / "made" / CATEGORIES_FILE).read_text()
    assert counted.splitlines()[:2] == ["category,events", "hats,3"]
