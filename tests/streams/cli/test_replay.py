"""A replay: what it says, what it exits with, and what it leaves behind."""

from __future__ import annotations

import json
import random
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.artefacts import capacity_artefact, fitted_artefact
from support.command import VIEW, begin, end, here, poll, read_rows, run, write_lines
from support.shoppers import random_lines

from features.users.catalogue import NAMES, PROFILE_WIDTH

SUMMARY = {
    "left_out",
    *("events_in", "events_applied", "duplicates", "dead_letters", "erased", "users", "scores_out", "texts_encoded"),
    "titles_encoded",
    "facts_sent",
    "facts_applied",
    "items",
    *("seconds", "events_per_second", "event_to_score_ms", "refused", "left_out", "first_duplicate"),
}
SCORE = {
    *("user_id", "score", "expected_spend", "tier", "tags", "labels", "prediction", "intercept", "reasons", "revision"),
    *("life", "event_time", "emitted_at", "trigger", "model", "degraded"),
}


def equal(one: Path, other: Path) -> None:
    """Two replays wrote the same in the contract's sense."""
    exact = (*NAMES, "event_time", "revision")
    for mine, theirs in zip(read_rows(one / "features"), read_rows(other / "features"), strict=True):
        assert mine["user_id"] == theirs["user_id"]
        assert {name: mine[name] for name in exact} == {name: theirs[name] for name in exact}
        np.testing.assert_allclose(mine["profile_vector"], theirs["profile_vector"], atol=1e-5)
    for mine, theirs in zip(read_rows(one / "scores"), read_rows(other / "scores"), strict=True):
        for name in ("user_id", "revision", "event_time", "tags", "model", "tier"):
            assert mine[name] == theirs[name]
        for name in ("prediction", "score", "expected_spend", "intercept"):
            assert mine[name] == pytest.approx(theirs[name], rel=1e-4)
        contributions = [{r["feature"]: r["contribution"] for r in score["reasons"]} for score in (mine, theirs)]
        assert contributions[0] == pytest.approx(contributions[1], rel=1e-4, abs=1e-9)
    ours, others = ([(r["reason"], r["detail"], r.get("raw")) for r in read_rows(f / "dead")] for f in (one, other))
    assert sorted(ours) == sorted(others)


LINES: list[Any] = [
    *random_lines(seed=10, events=90, users=8),
    *(
        {"topic": "reviews", "value": VIEW | {"event_id": f"r{n}", "rating": 5, "text": f"lovely {n}"}}
        for n in range(4)
    ),
    {"topic": "clicks", "key": "u", "raw": "not json"},
    {"topic": "clicks", "key": "u", "raw_base64": "/w=="},
    '{"topic": "clicks", "value": {"user_id": "u", "price": NaN}}',
    {"topic": "orders", "value": {}},
    "no object",
]
DEAD = 5


@pytest.fixture(scope="module")
def replays(
    request: pytest.FixtureRequest, shared_broker: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Path, int, str, str]]:
    """The same lines replayed twice, and once in another order; the first without a home that may be written.

    Each has an embedded broker of its own, unless the tests run on a real one.
    """
    embedded = request.config.getoption("broker") == "embedded"
    folder = tmp_path_factory.mktemp("replays")
    no_home = folder / "home"
    no_home.write_text("a file, in which nobody can make a folder, not even root")
    shuffled = list(LINES)
    random.Random(0).shuffle(shuffled)
    ran = {}
    for name, lines, by in (("first", LINES, run), ("again", LINES, here), ("shuffled", shuffled, here)):
        made = folder / name
        made.mkdir()
        write_lines(made / "events", lines)
        changes = {"HOME": str(no_home), "XDG_CACHE_HOME": str(no_home)} if name == "first" else {}
        changes["WHEREWITHAL_ITEMS"] = "true"
        changes |= {} if embedded else {"WHEREWITHAL_BROKER": shared_broker}
        outputs = ("--features", "features", "--scores", "scores", "--items", "items", "--dead-letters", "dead")
        ran[name] = made, *by("replay", "events", *outputs, "--json", folder=made, **changes)
    return ran


@pytest.fixture
def first(replays: dict[str, tuple[Path, int, str, str]]) -> Path:
    return replays["first"][0]


def test_a_replay_exits_0_and_prints_one_json_object_that_accounts_for_every_line(
    replays: dict[str, tuple[Path, int, str, str]],
) -> None:
    for _, code, out, err in replays.values():
        assert (code, err) == (0, "")
        assert out.count("\n") == 1
        summary = json.loads(out)
        assert set(summary) == SUMMARY
        assert set(summary["event_to_score_ms"]) == {"p50", "p95", "p99"}
        assert summary["events_in"] == len(LINES)
        assert summary["dead_letters"] == DEAD
        fates = ("events_applied", "duplicates", "dead_letters", "erased")
        assert summary["events_in"] == sum(summary[fate] for fate in fates)
        assert summary["duplicates"] > 0
        assert 0 < summary["texts_encoded"] < summary["events_in"]
        assert 0 < summary["event_to_score_ms"]["p50"] <= summary["event_to_score_ms"]["p99"]


def test_a_replay_writes_the_features_of_every_user_as_served(
    replays: dict[str, tuple[Path, int, str, str]], first: Path
) -> None:
    rows = read_rows(first / "features")
    assert [row["user_id"] for row in rows] == sorted({row["user_id"] for row in rows})
    for row in rows:
        assert list(row)[:3] == ["user_id", "event_time", "revision"]
        assert {*NAMES, "profile_vector"} <= set(row)
        length = np.linalg.norm(row["profile_vector"])
        assert len(row["profile_vector"]) == PROFILE_WIDTH
        assert length == pytest.approx(1, abs=1e-5) or length == 0
    assert sum(row["revision"] for row in rows) == json.loads(replays["first"][2])["events_applied"]


def test_a_replay_writes_the_signals_of_every_item_the_same_each_time(
    replays: dict[str, tuple[Path, int, str, str]], first: Path
) -> None:
    account, rows = json.loads(replays["first"][2]), read_rows(first / "items")
    assert account["facts_sent"] == account["facts_applied"] == sum(row["revision"] for row in rows) > 0
    assert account["items"] == len(rows)
    assert (first / "items").read_bytes() == (replays["again"][0] / "items").read_bytes()


def test_a_replay_writes_the_last_score_of_every_user(first: Path) -> None:
    scores, rows = read_rows(first / "scores"), read_rows(first / "features")
    for score, row in zip(scores, rows, strict=True):
        assert set(score) == SCORE
        assert [score[name] for name in ("user_id", "revision", "event_time")] == [
            row[name] for name in ("user_id", "revision", "event_time")
        ]
        assert score["degraded"] is False
        assert score["model"]["encoder"] == row["encoder"]
        contributions = sum(reason["contribution"] for reason in score["reasons"])
        assert score["intercept"] + contributions == pytest.approx(score["prediction"], rel=1e-9)


def test_a_replay_writes_the_dead_letters(first: Path) -> None:
    letters = read_rows(first / "dead")
    common = {"reason", "detail", "topic", "partition", "offset", "key", "file", "line"}
    assert all(set(letter) in (common | {"raw"}, common | {"raw_base64"}) for letter in letters)
    assert sorted(letter["reason"] for letter in letters) == ["invalid"] * 2 + ["malformed"] * 3
    last = len(LINES)
    by_line = {letter["offset"]: letter for letter in letters if letter["partition"] == -1}
    assert by_line[last]["raw"] == "no object"
    assert by_line[last - 1]["topic"] == "orders"
    assert {letter["raw_base64"] for letter in letters if "raw_base64" in letter} == {"/w=="}
    assert "not json" in {letter.get("raw") for letter in letters}


def test_replays_of_the_same_lines_are_equal_in_whatever_order(
    replays: dict[str, tuple[Path, int, str, str]],
) -> None:
    equal(replays["first"][0], replays["again"][0])
    equal(replays["first"][0], replays["shuffled"][0])


def test_a_replay_as_of_an_instant_speaks_of_it(events: Path) -> None:
    instant = "2026-01-01T01:00:00+01:00"
    code, out, err = here("--verbose", "replay", events, "--scores", "s", "--as-of", instant, folder=events.parent)
    assert code == 0
    assert out.startswith("1 events in = 1 applied + 0 duplicates + 0 dead letters + 0 erased\n")
    assert "error" not in [json.loads(line)["level"] for line in err.splitlines()]
    (score,) = read_rows(events.parent / "s")
    assert score["event_time"] == 1767225600000


def test_a_replay_writes_the_capacity_of_every_user_as_served_and_says_what_it_is_not_for(events: Path) -> None:
    folder = events.parent
    capacity_artefact(least_evidence=0).save(folder / "able")
    words, able = ("replay", events, "--capacity", "c", "--json"), str(folder / "able")
    code, out, err = here(*words, folder=folder, WHEREWITHAL_CAPACITY_ARTEFACT=able)
    assert code == 0
    assert json.loads(out)["scores_out"] >= 1
    (line,) = err.splitlines()
    assert line.startswith("wherewithal replay: purchasing capacity stands in for age, household and children")
    (row,) = read_rows(folder / "c")
    fields = ("user_id", "capacity", "prediction", "band", "scorer", "encoder", "evidence", "revision")
    assert tuple(row) == fields
    assert (row["evidence"], row["revision"]) == (0, 1)
    assert 0 <= row["capacity"] <= 100


@pytest.mark.parametrize(
    ("artefact", "said"),
    [
        (
            None,
            "--capacity: expected WHEREWITHAL_CAPACITY_ARTEFACT to name the artefact that estimates it, found it unset",
        ),
        ("nowhere", "WHEREWITHAL_CAPACITY_ARTEFACT: "),
        ("spend", "WHEREWITHAL_CAPACITY_ARTEFACT: "),
    ],
)
def test_capacity_that_cannot_be_estimated_is_refused_in_a_line(events: Path, artefact: str | None, said: str) -> None:
    fitted_artefact().save(events.parent / "spend")
    named = None if artefact is None else str(events.parent / artefact)
    words = ("replay", events, "--capacity", "c")
    code, out, err = here(*words, folder=events.parent, WHEREWITHAL_CAPACITY_ARTEFACT=named)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
    assert not (events.parent / "c").exists()


def children(pid: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            _, _, rest = status.read_text().rpartition(")")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(rest.split()[1]) == pid and rest.split()[0] != "Z":
            found.append(int(status.parent.name))
    return found


def text_of_its_own(number: int) -> dict[str, Any]:
    text = f"the pressing of number {number} is clean and its sleeve is not"
    return {"topic": "reviews", "value": VIEW | {"event_id": f"{number}", "rating": 5, "text": text}}


@pytest.mark.skipif(sys.platform != "linux", reason="reads the table of processes")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_replay_that_is_told_to_end_leaves_no_broker_and_no_folder(
    events: Path, tmp_path: Path, number: int, code: int
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    # So much that it goes on for minutes, if this process is slow to look.
    write_lines(events, [text_of_its_own(number) for number in range(20_000)])
    process = begin("replay", events, TMPDIR=str(temporary))
    poll(lambda: bool(children(process.pid)) or process.poll() is not None)
    started = children(process.pid)
    assert started
    process.send_signal(number)
    found, out, err = end(process)
    assert (found, out, err) == (code, "", "")
    poll(lambda: not any(Path(f"/proc/{pid}").exists() for pid in started))
    assert [path.name for path in temporary.iterdir() if path.name.startswith("wherewithal")] == []


def purchases(users: int, price: float, **more: Any) -> list[Any]:
    """One purchase of each of some shoppers, worth a little more from one to the next."""
    return [
        {"topic": "clicks", "value": VIEW | {"user_id": f"s{n}", "action": "purchase", "price": price + n} | more}
        for n in range(users)
    ]


@pytest.mark.parametrize(
    ("price", "currency", "fit", "said"),
    [
        (1980.0, "JPY", "foreign", "in USD, this is JPY"),
        (400.0, "USD", "foreign", "lie outside of"),
        (20.0, "USD", "fitted", ""),
    ],
)
def test_scores_of_another_shop_say_so_and_so_does_the_command(
    price: float, currency: str, fit: str, said: str, tmp_path: Path
) -> None:
    write_lines(tmp_path / "events", purchases(15, price))
    code, _, err = here("replay", "events", "--scores", "scores", folder=tmp_path, WHEREWITHAL_CURRENCY=currency)
    assert code == 0
    assert said in err
    assert err.count("\n") == (1 if said else 0)
    scores = read_rows(tmp_path / "scores")
    assert [score["model"]["fit"] for score in scores] == [fit] * 15
    assert {score["model"]["currency"] for score in scores} == {"USD"}
    # The dearer the order, the more is expected: no two are told the same.
    by_price = sorted(scores, key=lambda score: int(score["user_id"][1:]))
    expected = [score["expected_spend"] for score in by_price]
    assert expected == sorted(set(expected))
    assert all(score["model"]["trusted_up_to"] > 0 for score in scores)


def test_a_shop_whose_categories_the_scorer_does_not_list_is_told_so(tmp_path: Path) -> None:
    write_lines(tmp_path / "events", purchases(3, 20.0, category="hats"))
    code, _, err = here("replay", "events", folder=tmp_path)
    assert code == 0
    assert "lists the category of 0 of 3 events: tags and interests leave the others out" in err
    assert err.count("\n") == 1
