"""`train` and `evaluate` with `--head capacity`, over rows that `history` could have written."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from features.users.catalogue import NAMES, PROFILE_WIDTH, SCALARS
from models.artefact.capacity import CapacityArtefact
from models.artefact.card import CARD_FILE
from models.artefact.files import DOCUMENT_FILE, TENSORS_FILE
from models.scoring.capacity import NOT_FOR, VECTORS
from streams.cli.main import main
from streams.offline.training.rows_file import FILE_NAME, TrainingRow, to_table

DAY_MS = 86_400_000
USERS = 96
DIRECTION = np.random.default_rng(9).normal(size=PROFILE_WIDTH)


def unit(vector: np.ndarray) -> np.ndarray:
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def history(means: np.ndarray, encoder: str = "mini@0123456789ab") -> list[TrainingRow]:
    """Two rows a user, the later one first; only its titles tell of the user's means."""
    rng = np.random.default_rng(2)
    rows = []
    for user, wealth in enumerate(means):
        for visit in (1, 0):
            scalars = [int(rng.poisson(3)) if scalar.integer else float(rng.gamma(2)) for scalar in SCALARS]
            scalars[NAMES.index("lifetime_orders")] = user % 12
            scalars[NAMES.index("lifetime_spend")] = float(np.exp(0.5 * visit * wealth + rng.normal()))
            taste = unit(rng.normal(size=PROFILE_WIDTH) + 0.4 * visit * wealth * DIRECTION)
            profile = np.zeros(PROFILE_WIDTH, np.float32)
            instant = (1000 + 60 * visit) * DAY_MS
            rows.append(TrainingRow(f"u{user}", instant, tuple(scalars), profile, taste, visit + 1, encoder))
    return rows


@pytest.fixture(scope="module")
def means() -> np.ndarray:
    return np.random.default_rng(1).normal(size=USERS)


@pytest.fixture(scope="module")
def rows(means: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("history")
    pq.write_table(to_table(history(means), targets=False), folder / FILE_NAME)
    return folder


@pytest.fixture(scope="module")
def labels(means: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labels of three quarters of the users, and of two whom nobody knows."""
    file = tmp_path_factory.mktemp("labels") / "labels.csv"
    lines = [f"u{user},{round(2 * means[user])},{'ab'[user % 2]}" for user in range(USERS) if user % 4]
    file.write_text("\n".join(["user_id,label,plan", *lines, "nobody,3,a", "noone,3,b", ""]))
    return file


def evaluated(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[dict, str]:
    assert main(["evaluate", "--head", "capacity", "--json", "--bootstrap", "50", *words]) == 0
    out, err = capsys.readouterr()
    return json.loads(out), err


def test_evaluate_prints_the_table_of_the_contract(
    rows: Path, labels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, err = evaluated(["--rows", str(rows), "--labels", str(labels)], capsys)
    assert list(found) == ["n", "spearman", "concordance", "lift"]
    assert found["n"] == USERS * 3 // 4
    for measure in ("spearman", "concordance"):
        assert list(found[measure]) == ["behaviour", "text", "both"]
    assert found["spearman"]["text"] > 0.5
    assert found["concordance"]["both"] > 0.7
    assert found["lift"]["spearman"] == found["spearman"]["both"] - found["spearman"]["behaviour"]
    low, high = found["lift"]["interval"]
    assert 0 < low < found["lift"]["spearman"] < high
    assert "2 of 74 users" in err


def test_neither_the_order_of_the_rows_nor_of_the_labels_changes_a_digit(
    rows: Path, labels: Path, means: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pq.write_table(to_table(history(means)[::-1], targets=False), tmp_path / "other.parquet")
    header, *lines = labels.read_text().splitlines()
    (tmp_path / "other.csv").write_text("\r\n".join([header, *lines[::-1]]))
    first, _ = evaluated(["--rows", str(rows), "--labels", str(labels)], capsys)
    again, _ = evaluated(["--rows", str(tmp_path / "other.parquet"), "--labels", str(tmp_path / "other.csv")], capsys)
    assert first == again


def test_groups_are_of_a_column_of_the_labels_or_of_the_rows(
    rows: Path, labels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--rows", str(rows), "--labels", str(labels), "--group", "plan", "--group", "lifetime_orders"]
    found, _ = evaluated(words, capsys)
    plans = found["fairness"]["plan"]["groups"]
    assert {name: group["users"] for name, group in plans.items()} == {"a": 24, "b": 48}
    assert sum(g["users"] for g in found["fairness"]["lifetime_orders"]["groups"].values()) == found["n"]


def test_without_json_the_same_is_a_table(rows: Path, labels: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--rows", str(rows), "--labels", str(labels), "--group", "plan", "--bootstrap", "20"]
    assert main(["evaluate", "--head", "capacity", *words]) == 0
    out = capsys.readouterr().out
    assert "72 labelled users" in out
    assert "by plan" in out


def test_train_writes_an_artefact_that_estimates_the_latest_row_of_everybody(
    rows: Path, labels: Path, means: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "--head", "capacity", "--rows", str(rows), "--labels", str(labels), "--date", "2026-11-28"]
    for name in ("first", "second"):
        assert main([*words, "--output", str(tmp_path / name), "--evidence", "4", "--shop", "hats.example"]) == 0
    assert "compared with 64 users of 4 orders or more" in capsys.readouterr().out
    for file in (DOCUMENT_FILE, TENSORS_FILE, CARD_FILE):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()
    artefact = CapacityArtefact.load(tmp_path / "first").serving(NAMES, "mini@0123456789ab")
    latest = history(means)[::2]
    vectors = {
        VECTORS[0]: np.stack([row.profile for row in latest]),
        VECTORS[1]: np.stack([row.taste for row in latest]),
    }
    found = artefact.scorer.predict([row.scalars for row in latest], vectors)
    told = [place for place in range(USERS) if place % 12 >= 4]
    assert [place for place, capacity in enumerate(found.capacity) if capacity is not None] == told
    # The population is whoever is told something, so its bands are thirds.
    for band in ("lower", "middle", "upper"):
        assert abs(found.band.count(band) - len(told) / 3) <= 1
    assert np.corrcoef([found.capacity[place] for place in told], means[told])[0, 1] > 0.5
    card = (tmp_path / "first" / CARD_FILE).read_text()
    assert "Head: `capacity`" in card
    assert all(f"`{use}`" in card for use in NOT_FOR)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "--labels", "LABELS"], "--labels: expected --head capacity"),
        (["train", "--evidence", "3"], "--evidence: expected --head capacity"),
        (["train", "--head", "capacity"], "expected --rows ROWS and --labels CSV"),
        (["train", "--head", "capacity", "--rows", "ROWS"], "expected --rows ROWS and --labels CSV"),
        (["train", "--head", "capacity", "--rows", "ROWS", "--labels", "LABELS"], "--output: expected a folder"),
        (
            ["train", "--head", "capacity", "--rows", "ROWS", "--labels", "LABELS", "--scorer", "gbm"],
            "--scorer: expected",
        ),
        (["train", "--head", "capacity", "--rows", "ROWS", "--labels", "nowhere"], "expected a file"),
        (["evaluate", "--labels", "LABELS"], "--labels: expected --head capacity"),
        (["evaluate", "--head", "capacity", "--labels", "LABELS"], "expected --rows ROWS and --labels CSV"),
        (
            ["evaluate", "--head", "capacity", "--rows", "ROWS", "--labels", "LABELS", "--group", "x"],
            "--group: expected",
        ),
        (["evaluate", "--head", "capacity", "--rows", "ROWS", "--labels", "LABELS", "--output", "x"], "--output: exp"),
        (["evaluate", "--head", "money"], "invalid choice"),
    ],
)
def test_wrong_arguments_are_one_line(
    words: list[str], message: str, rows: Path, labels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {"ROWS": str(rows), "LABELS": str(labels)}
    try:
        code = main([places.get(word, word) for word in words])
    except SystemExit as ended:
        code = ended.code  # type: ignore[assignment]
    out, err = capsys.readouterr()
    assert code == 2
    assert not out
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["stranger,1", "other,2"], "expected labels of users of"),
        (["u1,1", "u2,1", "stranger,2"], "line 2: expected at least two labels that differ among the users of"),
        (["u1,1", "u2,2", "u3,x"], "line 4: expected a number as label, found 'x'"),
        (["u1,1", "u2,2"], "expected at least 20 users with a label and a row, found 2"),
    ],
)
def test_labels_that_cannot_be_fitted_are_one_line(
    lines: list[str], message: str, rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "labels.csv").write_text("\n".join(["user_id,label", *lines]))
    words = ["--head", "capacity", "--rows", str(rows), "--labels", str(tmp_path / "labels.csv")]
    for command in (["evaluate", "--json"], ["train", "--output", str(tmp_path / "out")]):
        assert main([*command, *words]) != 0
        out, err = capsys.readouterr()
        assert not out
        assert message in err
        assert "Traceback" not in err
    assert not (tmp_path / "out").exists()


def test_rows_of_two_encoders_are_refused(
    means: np.ndarray, labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mixed = history(means[:50]) + history(means[:50], "other@0123456789ab")
    pq.write_table(to_table(mixed, targets=False), tmp_path / FILE_NAME)
    assert main(["evaluate", "--head", "capacity", "--rows", str(tmp_path), "--labels", str(labels)]) == 2
    assert "expected rows of one encoder, found 2" in capsys.readouterr().err
