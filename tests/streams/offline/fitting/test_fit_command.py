"""`wherewithal fit`: from the events of a made-up shop to a folder with a scorer, or to one line that says why not."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from support.command import here, write_lines
from support.encoders import HashEncoder
from support.loggers import loggers_as_they_were
from support.shop import OPENING, Line, shop

from features.tiles import DAY
from models.artefact.artefact import Artefact
from models.artefact.card import CARD_FILE
from models.artefact.holdout import SALT, Holdout
from streams.cli.main import main
from streams.inference.loading import Inference, load_inference
from streams.offline.training.rows_file import read_training_rows
from streams.settings import Settings
from streams.telemetry.metrics import Metrics

USERS = 120
QUICK = ("--scorer", "loglinear", "--bootstrap", "3", "--folds", "3")


@pytest.fixture(autouse=True, scope="module")
def quick_models() -> Iterator[None]:
    """Have the command load an encoder that costs nothing."""

    def load(settings: Settings, metrics: Metrics, *, offline: bool) -> Inference:
        return load_inference(settings, metrics, HashEncoder(), offline=offline)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streams.offline.fitting.fitting.load_inference", load)
        yield


def fit(*words: object) -> int:
    return main(["fit", *map(str, words)])


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lines(tmp_path_factory.mktemp("shop") / "events.ndjson", shop(USERS, 240, seed=3, visits_per_month=2))


@pytest.fixture(scope="module")
def made(events: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command writes of all kinds of scorer."""
    folder = tmp_path_factory.mktemp("made") / "mine"
    words = ["--trials", "1", "--folds", "3", "--bootstrap", "5", "--date", "2026-11-28", "--holdout", "0.3"]
    # The fixture outlives the test that asks for it first.
    with loggers_as_they_were():
        assert fit(events, "--output", folder, *words) == 0
    return folder


def test_the_folder_holds_the_history_the_artefact_with_its_card_the_report_and_the_comparison(made: Path) -> None:
    assert {path.name for path in made.iterdir()} == {
        *("history", "artefact", "report.html", "report.json", "comparison.json")
    }
    assert {path.name for path in (made / "artefact").iterdir()} == {"model.json", "model.safetensors", CARD_FILE}
    assert list(made.parent.iterdir()) == [made]
    card = (made / "artefact" / CARD_FILE).read_text()
    assert "wherewithal fit EVENTS --output FOLDER --date 2026-11-28 --holdout 0.3 --folds 3 --trials 1" in card
    assert "a share of 0.3 of the users" in card


def test_the_artefact_was_trained_on_nobody_it_holds_out_and_judged_on_nobody_else(made: Path) -> None:
    artefact = Artefact.load(made / "artefact")
    rows = read_training_rows(made / "history")
    assert rows.spend_after is not None
    known = [user for user, spent in zip(rows.users, rows.spend_after.tolist(), strict=True) if spent == spent]
    chosen = Holdout(salt=SALT, share=0.3)
    held = [user for user in known if chosen.holds_out(user)]
    assert artefact.holdout == chosen.counting(len(set(held)), len(held))
    assert artefact.metrics["rows"] == len(known) - len(held)
    report = orjson.loads((made / "report.json").read_bytes())
    assert report["artefact"]["version"] == artefact.version
    assert report["data"]["users"] == artefact.holdout.users
    assert report["data"]["overlap"] == "none"
    assert report["data"]["users_in_both"] == 0
    assert artefact.version in (made / "report.html").read_text()


def test_every_kind_stands_beside_the_baselines_and_the_best_of_the_cross_validation_is_written(made: Path) -> None:
    found = orjson.loads((made / "comparison.json").read_bytes())
    kinds = {"loglinear", "linear", "ziln", "gbm", "ensemble"}
    assert set(found["losses"]) == kinds
    assert found["chosen"] == min(found["losses"], key=found["losses"].__getitem__)
    assert Artefact.load(made / "artefact").scorer.model.kind == found["chosen"]
    assert set(found["models"]) == kinds | {"in_use", "zero", "past_spend", "past_orders", "boosting_rfm"} | {
        *("bg_nbd", "bg_nbd_gamma_gamma")
    }
    assert not found["in_use_may_know"]
    report = orjson.loads((made / "report.json").read_bytes())
    for measure, value in found["models"][found["chosen"]].items():
        assert value == pytest.approx(report["metrics"]["scorer"][measure]["value"], rel=1e-9)
    for name in ("zero", "bg_nbd"):
        assert found["models"][name]["mae"] == pytest.approx(report["metrics"][name]["mae"]["value"], rel=1e-9)


def test_a_step_of_its_own_gives_the_same_numbers(made: Path, tmp_path: Path) -> None:
    words = ["evaluate", "--rows", made / "history", "--artefact", made / "artefact", "--output", tmp_path / "again"]
    assert main([*map(str, words), "--bootstrap", "5"]) == 0
    first, again = (orjson.loads((folder / "report.json").read_bytes()) for folder in (made, tmp_path / "again"))
    for report in (first, again):
        del report["ablation"]["fit_seconds"]
    assert again == first


@pytest.fixture(scope="module")
def quick(events: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """The folder that the command writes of one kind of scorer, and what it says."""
    folder = tmp_path_factory.mktemp("quick") / "my shop"
    code, out, err = here("fit", events, "--output", folder, *QUICK, "--date", "2026-11-28")
    assert code == 0, err
    return folder, out, err


def test_it_says_what_became_of_the_events_who_judges_and_what_to_run_next(
    events: Path, quick: tuple[Path, str, str]
) -> None:
    folder, said, err = quick
    out = said.splitlines()
    assert out[0].endswith("duplicates + 0 dead letters + 0 erased")
    assert out[1].startswith("a row every 30 days: ")
    table = [line for line in out if line.startswith(("* loglinear", "  BG/NBD", "  the scorer in use  "))]
    assert len(table) == 4
    assert all(len(line) <= 80 for line in table)
    assert f"  WHEREWITHAL_ARTEFACT='{folder}'/artefact wherewithal replay {events} --scores scores.ndjson" in out
    assert "loading the encoder" in err
    # A long step is told at its tenths, however many parts it has.
    assert err.count("training loglinear") <= 11


def test_the_same_events_and_options_give_the_same_artefact_and_one_object_of_json(
    events: Path, quick: tuple[Path, str, str], tmp_path: Path
) -> None:
    code, out, err = here("fit", events, "--output", tmp_path / "two", *QUICK, "--json", "--date", "2026-11-28")
    assert code == 0, err
    found = orjson.loads(out)
    one, two = quick[0], tmp_path / "two"
    assert found["version"] == Artefact.load(one / "artefact").version == Artefact.load(two / "artefact").version
    for name in ("artefact/model.json", "artefact/model.safetensors", "comparison.json"):
        assert (one / name).read_bytes() == (two / name).read_bytes()
    first, again = (orjson.loads((folder / "report.json").read_bytes()) for folder in (one, two))
    for report in (first, again):
        del report["ablation"]["fit_seconds"]
    assert again == first
    assert found["step_ms"] == 30 * DAY
    assert found["holdout"]["share"] == 0.2
    assert found["warning"] is None


def purchases_by_anybody(seed: int) -> list[Line]:
    """Purchases of users who are all alike: past spend says nothing of later spend."""
    rng = random.Random(seed)
    lines = []
    for number in range(6000):
        user, at = f"u{rng.randrange(120)}", OPENING + rng.randrange(270 * DAY)
        action = "purchase" if rng.random() < 0.05 else "view"
        common = {"event_id": f"e{number}", "user_id": user, "item_id": "i", "timestamp": at}
        lines.append({"topic": "clicks", "value": common | {"action": action, "price": round(10 + rng.random(), 2)}})
    return sorted(lines, key=lambda line: line["value"]["timestamp"])


def test_a_scorer_no_better_than_chance_is_written_with_a_warning_and_ends_in_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = write_lines(tmp_path / "events.ndjson", purchases_by_anybody(5))
    assert fit(events, "--output", tmp_path / "mine", *QUICK) == 1
    err = capsys.readouterr().err.splitlines()
    assert err[-1].startswith("warning: ")
    assert "no better than chance" in err[-1]
    assert "**Warning:**" in (tmp_path / "mine" / "artefact" / CARD_FILE).read_text()
    assert (tmp_path / "mine" / "report.html").exists()


def without_purchases(lines: list[Line]) -> list[Line]:
    return [line for line in lines if line["value"].get("action") != "purchase"]


def late_purchases(lines: list[Line]) -> list[Line]:
    newest = lines[-1]["value"]["timestamp"]
    return [
        line
        for line in lines
        if line["value"].get("action") != "purchase" or line["value"]["timestamp"] > newest - 31 * DAY
    ]


def erased(lines: list[Line]) -> list[Line]:
    at = lines[-1]["value"]["timestamp"]
    users = sorted({line["value"]["user_id"] for line in lines})
    return [*lines, *({"topic": "erasures", "value": {"user_id": user, "timestamp": at}} for user in users)]


@pytest.mark.parametrize(
    ("users", "days", "change", "words", "message"),
    [
        (5, 60, lambda lines: [], [], "expected events, found an empty file"),
        (5, 60, lambda lines: [{"no": "event"}], ["--max-refused", "1"], "none among 1 lines (1 refused, 0 erased)"),
        (40, 60, erased, [], "expected events that count, found none among"),
        (80, 20, list, [], "expected more than 31 days of events"),
        (80, 45, list, ["--every", "900d"], "--every: expected users at an instant"),
        (1, 270, list, [], "expected at least 50 users with events 30 days before the end of the history, found 1"),
        (30, 270, list, [], "expected at least 50 users"),
        (90, 270, without_purchases, [], "expected at least 10 users to train on and 2 held out who spend"),
        (90, 270, list, ["--folds", "60", "--scorer", "loglinear"], "--folds: expected users who spend something in"),
        (90, 270, list, ["--holdout", "0.999999"], "held out and 0 not"),
        (90, 70, late_purchases, ["--every", "1d"], "with a purchase before a row, found"),
    ],
)
def test_too_little_is_one_line_that_says_what_is_needed_and_leaves_nothing(
    users: int,
    days: int,
    change: Callable[[list[Line]], list[Line]],
    words: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = change(list(shop(users, days, seed=3, visits_per_month=6)))
    events = write_lines(tmp_path / "events.ndjson", lines)
    assert fit(events, "--output", tmp_path / "mine", *words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = [line for line in said.err.splitlines() if line.startswith("wherewithal fit: ")]
    assert message in line
    assert str(tmp_path / ".") not in line.replace(str(events), "")
    assert list(tmp_path.iterdir()) == [events]


@pytest.mark.parametrize("broken", ["report", "training"])
def test_a_run_that_fails_leaves_no_folder(
    broken: str, events: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: Any, **named: Any) -> Any:
        raise OSError(28, "No space left on device")

    name = {"report": "publish", "training": "contest"}[broken]
    monkeypatch.setattr(f"streams.offline.fitting.fitting.{name}", fail)
    assert fit(events, "--output", tmp_path / "mine", *QUICK) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--every", "soon"], "--every: expected a number of days or hours"),
        (["--date", "soon"], "--date: expected YYYY-MM-DD"),
        (["--folds", "2"], "--folds: expected at least 3 for ziln, gbm, ensemble, found 2"),
        (["--output", "/proc"], "expected a plain folder"),
    ],
)
def test_wrong_arguments_are_one_line(
    words: list[str], message: str, events: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(events, "--output", tmp_path / "mine", *words) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("value", ["0", "1", "-1", "nan", "half"])
def test_a_share_that_is_none_is_refused(value: str, events: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        fit(events, "--output", "mine", f"--holdout={value}")
    assert "expected a share of the users, above 0 and below 1" in capsys.readouterr().err


def test_a_missing_library_is_said_before_the_events_are_read(
    events: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert fit(events, "--output", tmp_path / "mine") == 1
    assert capsys.readouterr().err == (
        "wherewithal fit: expected optuna, found none; install it with `pip install wherewithal[train]`\n"
    )
