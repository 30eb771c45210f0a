"""The command as it is installed: what it says, what it exits with, and what it leaves behind."""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import logging
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.paths import ROOT
from support.patience import PATIENCE_S
from support.servers.brokers import Broker
from support.shoppers import BASE, random_lines

from features.catalogue import NAMES, PROFILE_WIDTH
from streams.broker.publisher import Publisher
from streams.broker.topics.provisioning import make_topics
from streams.cli.main import COMMANDS, main
from streams.contract import SCORES, topic_name
from streams.records.outgoing import Outgoing
from streams.settings import load_settings

VIEW = {"event_id": "1", "user_id": "u", "item_id": "i", "action": "view", "timestamp": BASE}

SUMMARY = {
    *("events_in", "events_applied", "duplicates", "dead_letters", "erased", "users", "scores_out", "texts_encoded"),
    *("seconds", "events_per_second", "event_to_score_ms"),
}
SCORE = {
    *("user_id", "score", "expected_spend", "tier", "tags", "labels", "prediction", "intercept", "reasons", "revision"),
    *("life", "event_time", "emitted_at", "trigger", "model", "degraded"),
}


def environment(**changes: str | None) -> dict[str, str]:
    """The caller's environment without the settings it may hold, and with these changes; None removes."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WHEREWITHAL_", "CALF_"))}
    kept |= {name: value for name, value in changes.items() if value is not None}
    for name in [name for name, value in changes.items() if value is None]:
        kept.pop(name, None)
    return kept | {"PYTHONPATH": str(ROOT)}


def begin(*words: object, folder: Path = ROOT, **changes: str | None) -> subprocess.Popen[str]:
    """Start the command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "streams.cli.main", *map(str, words)],
        cwd=folder,
        env=environment(**changes),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for its end; return exit code, output and errors."""
    try:
        out, err = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    return process.returncode, out, err


def run(*words: object, folder: Path = ROOT, **changes: str | None) -> tuple[int, str, str]:
    return end(begin(*words, folder=folder, **changes))


def here(*words: object, folder: Path = ROOT, **changes: str | None) -> tuple[int, str, str]:
    """Run the command in this process, which has imported what takes seconds: exit code, output and errors."""
    loggers = [logging.getLogger(name) for name in (None, "wherewithal")]
    before = [(logger, logger.handlers[:], logger.level) for logger in loggers]
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(folder)
        for name in set(os.environ) - set(wanted := environment(**changes)):
            patch.delenv(name)
        for name, value in wanted.items():
            patch.setenv(name, value)
        try:
            code: object = main([*map(str, words)])
        except SystemExit as left:
            code = left.code
        finally:
            for logger, handlers, level in before:
                logger.handlers[:] = handlers
                logger.setLevel(level)
    assert isinstance(code, int)
    return code, out.getvalue(), err.getvalue()


def refused(code: int, *words: object, by: Callable[..., tuple[int, str, str]] = here, **changes: str | None) -> str:
    """Return the one line with which a command ends that cannot do its work."""
    found, out, err = by(*words, **changes)
    assert found == code, err
    assert out == ""
    assert err.endswith("\n")
    assert err.count("\n") == 1, err
    assert err.startswith("wherewithal")
    return err.rstrip("\n")


@pytest.fixture
def refused_here(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Like `refused` with code 2, in this process: for what is refused before anything heavy is imported."""
    root, ours = logging.getLogger(), logging.getLogger("wherewithal")
    handlers, levels = list(root.handlers), (root.level, ours.level)
    for name in [name for name in os.environ if name.startswith("WHEREWITHAL_")]:
        monkeypatch.delenv(name)

    def refuse(*words: object, **changes: str) -> str:
        for name, value in changes.items():
            monkeypatch.setenv(name, value)
        try:
            code: object = main([*map(str, words)])
        except SystemExit as left:
            code = left.code
        out, err = capsys.readouterr()
        assert (code, out) == (2, ""), err
        assert err.startswith("wherewithal")
        assert err.endswith("\n")
        assert err.count("\n") == 1, err
        return str(err.rstrip("\n"))

    yield refuse
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


def poll(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def write_lines(path: Path, lines: Sequence[Any]) -> Path:
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def read_rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """A file of one event."""
    return write_lines(tmp_path / "events.ndjson", [{"topic": "clicks", "value": VIEW}])


# --- help ---------------------------------------------------------------------------------------------------------


def help_of(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as left:
        main([*words, "--help"])
    assert left.value.code == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    return shown.out


def test_the_help_names_every_command_with_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    shown = help_of(capsys)
    assert shown.startswith("usage: wherewithal ")
    for name, summary in COMMANDS.items():
        assert f"{name} " in shown
        assert summary.split(",")[0].split(":")[0] in " ".join(shown.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_says_what_it_does_and_explains_every_argument(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = help_of(capsys, command)
    assert shown.startswith(f"usage: wherewithal {command} ")
    assert COMMANDS[command][1:].split(",")[0].split(":")[0] in " ".join(shown.split())
    described = [line for line in shown.splitlines() if line.startswith("  ")]
    arguments = [line for line in described if not line.startswith("   ")]
    assert arguments
    for position, line in enumerate(described):
        # A long option has its explanation on the next line.
        if line in arguments and len(line.split("  ")) < 3:
            assert described[position + 1].startswith("   "), f"{line.strip()} is not explained"


@pytest.mark.parametrize(
    "words", [(), *((command,) for command in COMMANDS)], ids=lambda words: "-".join(words) or "all"
)
def test_no_help_imports_what_takes_seconds(words: tuple[str, ...]) -> None:
    heavy = {"torch", "transformers", "feast", "pandas", "pyarrow", "sentence_transformers"}
    code = (
        "import sys\n"
        "from streams.cli.main import main\n"
        "try: main(sys.argv[1:])\n"
        f"except SystemExit: print(sorted({heavy!r} & set(sys.modules)), file=sys.stderr)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, *words, "--help"], capture_output=True, text=True, timeout=PATIENCE_S, cwd=ROOT
    )
    assert ran.stderr == "[]\n"


def test_the_command_is_installed() -> None:
    script = Path(sys.executable).parent / "wherewithal"
    ran = subprocess.run([script, "--help"], capture_output=True, text=True, timeout=PATIENCE_S, env=environment())
    assert ran.returncode == 0
    assert ran.stdout.startswith("usage: wherewithal ")


# --- arguments that cannot be used ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "required: COMMAND"),
        (["--verbose"], "required: COMMAND"),
        (["deom"], "invalid choice: 'deom'"),
        (["replay"], "required: FILE"),
        (["worker", "--fast"], "unrecognized arguments: --fast"),
        (["features"], "required: USER"),
        (["replay", "/no/such/file"], "/no/such/file: expected a file of NDJSON events, found none"),
        (["replay", "."], "expected a file of NDJSON events, found a folder"),
        (["features", ""], "argument USER: expected 1 to 256 bytes of UTF-8"),
        (["features", "\udcff"], "argument USER: expected 1 to 256 bytes of UTF-8"),
        (["erase", "u" * 257], "argument USER: expected 1 to 256 bytes of UTF-8"),
        (["redrive", "--limit", "0"], "argument --limit: expected a whole number from 1, found '0'"),
        (["broker", "--port", "65536"], "argument --port: expected a whole number from 0 to 65535, found '65536'"),
        (["train", "--folds", "1"], "argument --folds: expected a whole number from 2, found '1'"),
        (["train", "--trials", "some"], "argument --trials: expected a whole number from 1, found 'some'"),
        (["train", "--rows", "/no/such/file"], "argument --rows: /no/such/file: expected a file, found none"),
        (["evaluate", "--artefact", "/no/such"], "argument --artefact: /no/such: expected a folder, found none"),
        (["backtest", "cdnow", "--transactions", "."], "argument --transactions: .: expected a file, found a folder"),
        (["finetune", "/no/such", "--output", "f"], "argument TEXTS: /no/such: expected a file, found none"),
    ],
)
def test_wrong_words_are_one_line_that_says_what_was_expected(
    refused_here: Callable[..., str], words: list[str], said: str
) -> None:
    assert said in refused_here(*words)


@pytest.mark.parametrize("option", ["--features", "--scores", "--dead-letters"])
def test_an_output_that_cannot_be_written_is_refused_before_anything_runs(
    refused_here: Callable[..., str], events: Path, option: str
) -> None:
    assert "expected a file to write in a folder that exists" in refused_here(
        "replay", events, option, events.parent / "missing" / "out"
    )
    assert "expected a file to write in a folder that exists" in refused_here("replay", events, option, events.parent)


def test_an_output_that_would_overwrite_another_file_of_the_run_is_refused(
    refused_here: Callable[..., str], events: Path
) -> None:
    before = events.read_bytes()
    assert "a file of its own" in refused_here("replay", events, "--scores", events)
    out = events.parent / "out"
    assert "a file of its own" in refused_here("replay", events, "--scores", out, "--features", out)
    assert events.read_bytes() == before
    assert not out.exists()


@pytest.mark.parametrize("instant", ["yesterday", "2026-01-01", "2026-01-01T00:00:00", "1e3", "", "9" * 30, "٣"])
def test_an_instant_that_is_none_is_refused(refused_here: Callable[..., str], events: Path, instant: str) -> None:
    assert "--as-of: expected" in refused_here("replay", events, f"--as-of={instant}")


@pytest.mark.parametrize("command", ["produce", "scores", "worker", "erase", "redrive"])
def test_a_command_for_a_cluster_needs_one(refused_here: Callable[..., str], events: Path, command: str) -> None:
    words = {"produce": [events], "erase": ["u"]}.get(command, [])
    assert "WHEREWITHAL_BROKER: expected kafka://host:port" in refused_here(command, *words)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WHEREWITHAL_PARTITIONS", "many"),
        ("WHEREWITHAL_BROKER", "http://localhost:9092"),
        ("WHEREWITHAL_BROKER", "kafka://localhost"),
        ("WHEREWITHAL_ONLINE_STORE", "mysql://localhost/x"),
    ],
)
@pytest.mark.parametrize("command", ["replay", "features", "worker"])
def test_a_setting_that_cannot_be_used_is_named_whatever_the_command(
    refused_here: Callable[..., str], events: Path, command: str, variable: str, value: str
) -> None:
    words = {"replay": [events], "features": ["u"], "worker": []}[command]
    assert refused_here(command, *words, **{variable: value}).startswith(f"wherewithal {command}: {variable}: ")


def test_features_of_a_store_that_is_not_there_are_no_features_of_an_empty_one(
    refused_here: Callable[..., str], tmp_path: Path
) -> None:
    line = refused_here("features", "u", WHEREWITHAL_STATE_DIR=str(tmp_path / "elsewhere"))
    assert "WHEREWITHAL_STATE_DIR, WHEREWITHAL_ONLINE_STORE: expected the file that the workers write" in line
    assert not (tmp_path / "elsewhere").exists()


def test_a_refusal_of_the_installed_command_is_one_line_and_its_code(events: Path) -> None:
    assert "--as-of: expected" in refused(2, "replay", events, "--as-of", "yesterday", by=run)
    assert "found 'many'" in refused(2, "replay", events, WHEREWITHAL_PARTITIONS="many", by=run)


# --- what is not there ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["replay", "FILE"], ["produce", "FILE"], ["scores"], ["scores", "--follow"]])
def test_a_broker_that_is_not_there_is_one_line(events: Path, unused_port: int, words: list[str]) -> None:
    line = refused(
        1,
        *[events if word == "FILE" else word for word in words],
        WHEREWITHAL_BROKER=f"kafka://127.0.0.1:{unused_port}",
        WHEREWITHAL_REQUEST_TIMEOUT_S="2",
    )
    assert "broker" in line
    assert "check" in line


def test_a_worker_without_its_broker_ends_with_the_reason_after_its_log(unused_port: int, tmp_path: Path) -> None:
    code, out, err = run(
        "worker",
        folder=tmp_path,
        WHEREWITHAL_BROKER=f"kafka://127.0.0.1:{unused_port}",
        WHEREWITHAL_REQUEST_TIMEOUT_S="2",
        WHEREWITHAL_METRICS_PORT="0",
    )
    assert (code, out) == (1, "")
    *logged, last = err.splitlines()
    assert last.startswith("wherewithal worker: the broker at 127.0.0.1:")
    assert all(json.loads(line)["level"] for line in logged)


def test_a_metrics_port_that_is_taken_is_one_line(unused_port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refused(
            2,
            "worker",
            WHEREWITHAL_BROKER=f"kafka://127.0.0.1:{unused_port}",
            WHEREWITHAL_METRICS_PORT=str(port),
        )
    assert f"WHEREWITHAL_METRICS_PORT: 127.0.0.1:{port} cannot be used" in line


@pytest.mark.parametrize(
    "variable", ["WHEREWITHAL_ENCODER", "WHEREWITHAL_ARTEFACT", "WHEREWITHAL_SHADOW_ARTEFACT", "WHEREWITHAL_DEVICE"]
)
def test_a_model_that_is_not_there_is_one_line(events: Path, tmp_path: Path, variable: str) -> None:
    line = refused(2, "replay", events, **{variable: str(tmp_path / "none")})
    assert line.startswith(f"wherewithal replay: {variable}: ")
    assert str(tmp_path / "none") in line


def test_a_redis_that_is_not_there_ends_the_start(events: Path, unused_port: int) -> None:
    line = refused(1, "replay", events, WHEREWITHAL_ONLINE_STORE=f"redis://:hunter2@127.0.0.1:{unused_port}/0")
    assert "WHEREWITHAL_ONLINE_STORE: expected the Redis online store at" in line
    assert "hunter2" not in line


@pytest.mark.parametrize("binary", ["/no/such/broker", "/bin/false"])
def test_an_embedded_broker_that_does_not_start_is_one_line(events: Path, binary: str) -> None:
    assert "broker" in refused(1, "replay", events, CALF_TANSU_BIN=binary)


def test_a_temporary_folder_that_is_not_there_is_one_line(events: Path) -> None:
    code = (
        "import sys, tempfile\n"
        "tempfile._candidate_tempdir_list = lambda: ['/no/such/folder']\n"
        "from streams.cli.main import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, "replay", events], capture_output=True, text=True, cwd=ROOT, env=environment()
    )
    assert ran.returncode == 1
    assert ran.stderr.startswith("wherewithal replay: No usable temporary directory found")
    assert ran.stderr.count("\n") == 1


# --- replay --------------------------------------------------------------------------------------------------------


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
    *random_lines(seed=9, events=90, users=8),
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
        changes |= {} if embedded else {"WHEREWITHAL_BROKER": shared_broker}
        outputs = ("--features", "features", "--scores", "scores", "--dead-letters", "dead")
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


def test_a_replay_writes_the_features_of_every_user_as_served(first: Path) -> None:
    rows = read_rows(first / "features")
    assert [row["user_id"] for row in rows] == sorted({row["user_id"] for row in rows})
    for row in rows:
        assert list(row)[:3] == ["user_id", "event_time", "revision"]
        assert {*NAMES, "profile_vector"} <= set(row)
        length = np.linalg.norm(row["profile_vector"])
        assert len(row["profile_vector"]) == PROFILE_WIDTH
        assert length == pytest.approx(1, abs=1e-5) or length == 0
    assert sum(row["revision"] for row in rows) == len(LINES) - DEAD - 3


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
    common = {"reason", "detail", "topic", "partition", "offset", "key"}
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


# --- being told to end ---------------------------------------------------------------------------------------------


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


@pytest.mark.skipif(sys.platform != "linux", reason="reads the table of processes")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_replay_that_is_told_to_end_leaves_no_broker_and_no_folder(
    events: Path, tmp_path: Path, number: int, code: int
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    process = begin("replay", events, TMPDIR=str(temporary))
    poll(lambda: bool(children(process.pid)) or process.poll() is not None)
    started = children(process.pid)
    assert started
    process.send_signal(number)
    found, out, err = end(process)
    assert (found, out, err) == (code, "", "")
    poll(lambda: not any(Path(f"/proc/{pid}").exists() for pid in started))
    assert [path.name for path in temporary.iterdir() if path.name.startswith("wherewithal")] == []


# --- a cluster -----------------------------------------------------------------------------------------------------


def test_the_embedded_broker_can_be_run_by_itself(events: Path) -> None:
    broker = begin("broker", "--port", "0")
    assert broker.stdout is not None
    try:
        line = broker.stdout.readline()
        assert line.startswith("export WHEREWITHAL_BROKER=kafka://127.0.0.1:")
        url = line.strip().partition("=")[2]
        code, out, err = here("produce", events, WHEREWITHAL_BROKER=url)
        assert (code, err) == (0, "")
        assert "1 events" in out
        assert "found it taken" in refused(1, "broker", "--port", url.rpartition(":")[2])
        broker.send_signal(signal.SIGINT)
    finally:
        code, _, _ = end(broker)
    assert code == 0


def test_a_worker_scores_what_is_produced_and_leaves_when_told(
    broker: Broker, unused_port: int, tmp_path: Path, events: Path
) -> None:
    cluster = {
        **broker.environment,
        "WHEREWITHAL_PARTITIONS": "2",
        "WHEREWITHAL_SESSION_TIMEOUT_S": "3",
        "WHEREWITHAL_HEARTBEAT_INTERVAL_S": "0.3",
        "WHEREWITHAL_METRICS_PORT": str(unused_port),
        "WHEREWITHAL_STATE_DIR": str(tmp_path / "state"),
    }
    write_lines(events, [{"topic": "clicks", "value": VIEW | {"user_id": "a-quite-secret-id"}}, "no object"])
    worker = begin("worker", **cluster)
    try:
        code, out, err = here("produce", events, "--json", **cluster)
        assert (code, json.loads(out), err) == (0, {"events": 2, "erasures": 0, "dead_letters": 1}, "")
        poll(lambda: worker.poll() is not None or ready(unused_port))
        scored: list[dict[str, Any]] = []

        def has_score() -> bool:
            code, out, err = here("scores", "--json", **cluster)
            assert (code, err) == (0, "")
            scored[:] = [json.loads(line) for line in out.splitlines()]
            return bool(scored)

        poll(has_score)
        assert [(score["user_id"], score["revision"]) for score in scored] == [("a-quite-secret-id", 1)]
        served: list[str] = []

        def has_row() -> bool:
            # A score may precede its row by the freshness deadline.
            code, out, _ = here("features", "a-quite-secret-id", "--json", **cluster)
            served[:] = [out]
            return code == 0

        poll(has_row)
        row = json.loads(served[0])
        assert (row["user_id"], row["views_30d"], row["revision"]) == ("a-quite-secret-id", 0, 1)
        assert row["event_time"] > VIEW["timestamp"], "a worker speaks of the wall clock"
        assert refused(1, "features", "nobody", **cluster).endswith("knows no such user")
        worker.send_signal(signal.SIGTERM)
    finally:
        code, out, err = end(worker)
    assert (code, out) == (0, ""), err
    logged = [json.loads(line) for line in err.splitlines()]
    assert {"ready", "left"} <= {entry["message"] for entry in logged}
    assert "a-quite-secret-id" not in err


def ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def test_following_scores_shows_erasures_too_as_json_when_asked(broker: Broker) -> None:
    settings = load_settings(broker=broker.url, partitions=1)
    score = {"user_id": "u", "score": 5.0, "tier": "low", "expected_spend": 1.0, "revision": 1, "reasons": []}

    async def publish(records: list[Outgoing]) -> None:
        publisher = Publisher(settings)
        await publisher.start()
        await (await publisher.send(topic_name(settings, SCORES), 0, records)).acknowledged()
        await publisher.stop()

    asyncio.run(make_topics(settings))
    following = begin("scores", "--follow", "--json", PYTHONUNBUFFERED="1", **broker.environment)
    assert following.stdout is not None
    try:
        # It shows what comes after its start, and nothing says when that was.
        lines: list[str] = []
        os.set_blocking(following.stdout.fileno(), False)

        def shown() -> bool:
            asyncio.run(publish([Outgoing(b"u", json.dumps(score).encode()), Outgoing(b"u", None)]))
            lines.extend(following.stdout or ())
            return len(lines) >= 2

        poll(shown)
    finally:
        following.send_signal(signal.SIGINT)
        os.set_blocking(following.stdout.fileno(), True)
        code, _, err = end(following)
    assert (code, err) == (130, "")
    assert [json.loads(line) for line in lines[:2]] == [score, {"user_id": "u", "erased": True}]
