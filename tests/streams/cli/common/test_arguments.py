"""Arguments and settings that cannot be used: one line says so, before anything runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.command import refused, run


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "required: COMMAND"),
        (["--verbose"], "required: COMMAND"),
        (["deom"], "expected a command, found 'deom': did you mean demo?"),
        (["features\x1b[2J"], "expected a command, found 'features\\x1b[2J': did you mean features?"),
        (["--verbose", "deom"], "expected a command, found 'deom': did you mean demo?"),
        (["xyzzy"], "expected a command, found 'xyzzy' (try --help)"),
        (["scores", "--jsn"], "wherewithal scores: unrecognized arguments: --jsn: did you mean --json?"),
        (["scores", "--top", "0"], "argument --top: expected a whole number from 1, found '0'"),
        (["scores", "--top", "1", "--follow"], "--follow: expected it without --segments, --top and --where"),
        (["scores", "--top", "1", "--segments"], "--top: expected it without --segments"),
        (["replay"], "required: FILE"),
        (["worker", "--fast"], "unrecognized arguments: --fast"),
        (["features"], "USER --item is required"),
        (["replay", "/no/such/file"], "/no/such/file: expected a file of events, found none"),
        (["features", ""], "argument USER: expected 1 to 256 bytes of UTF-8"),
        (["features", "\udcff"], "argument USER: expected 1 to 256 bytes of UTF-8"),
        (["erase", "u" * 257], "argument USER: expected 1 to 256 bytes of UTF-8"),
        (["redrive", "--limit", "0"], "argument --limit: expected a whole number from 1, found '0'"),
        (["broker", "--port", "65536"], "argument --port: expected a whole number from 0 to 65535, found '65536'"),
        (["train", "--folds", "1"], "argument --folds: expected a whole number from 2, found '1'"),
        (["train", "--trials", "some"], "argument --trials: expected a whole number from 1, found 'some'"),
        (
            ["train", "--rows", "/no/such/file"],
            "argument --rows: /no/such/file: expected a file or a folder, found none",
        ),
        (["evaluate", "--artefact", "/no/such"], "argument --artefact: /no/such: expected a folder, found none"),
        (["backtest", "cdnow", "--transactions", "."], "argument --transactions: .: expected a file, found a folder"),
        (["demo", "--svg", "."], "argument --svg: .: expected a file to write in a folder that exists"),
        (
            ["demo", "--svg", "/no/such/f"],
            "argument --svg: /no/such/f: expected a file to write in a folder that exists",
        ),
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


@pytest.mark.parametrize("command", [("replay",), ("history", "--every", "1d")])
def test_an_output_within_a_folder_that_is_read_is_refused(
    refused_here: Callable[..., str], events: Path, command: tuple[str, ...]
) -> None:
    folder = events.parent / "days" / "day=1"
    folder.mkdir(parents=True)
    inside = events.rename(folder / events.name)
    before = inside.read_bytes()
    message = refused_here(*command, folder.parent, "--dead-letters", inside)
    assert "expected a file outside of the folders that are read" in message
    assert inside.read_bytes() == before


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
