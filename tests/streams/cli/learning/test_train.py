import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from support.artefacts import fitted_artefact

from features.users.catalogue import NAMES, PROFILE_WIDTH, SCALARS, TRANSFORMS
from models.artefact.artefact import Artefact
from models.artefact.card import CARD_FILE
from models.artefact.files import DOCUMENT_FILE, TENSORS_FILE
from models.scoring.calibration import Calibration
from models.training.rows import TrainingRows as CheckedRows
from streams.cli.main import main
from streams.inference.loading import artefact_folder
from streams.offline.evaluation.words import MODEL_NAMES
from streams.offline.training.categories import FILE_NAME as CATEGORIES_FILE
from streams.offline.training.categories import write_counts
from streams.offline.training.holding_out import hold_out
from streams.offline.training.rows_file import FILE_NAME, TrainingRow, to_table
from streams.offline.training.source import from_rows
from streams.settings import Settings

DAY_MS = 86_400_000
QUICK = ["--folds", "3", "--trials", "1", "--date", "2026-11-23"]


@pytest.fixture(scope="module")
def shipped() -> Artefact:
    return Artefact.load(artefact_folder(Settings()))


def training_rows(encoder: str, users: int = 200) -> list[TrainingRow]:
    """Three rows a user, 60 days apart; the last user's outcome is not known."""
    rng = np.random.default_rng(2)
    rows = []
    for user in range(users):
        wealth = rng.gamma(2, 1)
        for visit in range(3):
            scalars = [int(rng.poisson(wealth)) if scalar.integer else float(10 * wealth) for scalar in SCALARS]
            # A history that can be: somebody who has been here longer than their last purchase is ago.
            scalars[NAMES.index("tenure_days")] = 200 + 10 * wealth
            scalars[NAMES.index("mean_rating_30d")] = None if rng.random() < 0.5 else 4.0
            profile = rng.normal(size=PROFILE_WIDTH)
            profile = (profile / np.linalg.norm(profile)).astype(np.float32)
            spent = float(np.exp(wealth)) if rng.random() < 0.4 else 0.0
            known = None if user == users - 1 else spent
            instant = (1000 + 60 * visit) * DAY_MS
            rows.append(TrainingRow(f"u{user}", instant, tuple(scalars), profile, profile, visit + 1, encoder, known))
    return rows


@pytest.fixture
def rows_file(tmp_path: Path, shipped: Artefact) -> Path:
    pq.write_table(to_table(training_rows(shipped.encoder_identity), targets=True), tmp_path / "rows.parquet")
    return tmp_path / "rows.parquet"


def test_a_scorer_of_rows_from_history_is_written_with_its_card_and_logs(
    rows_file: Path, tmp_path: Path, shipped: Artefact, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, logs = tmp_path / "mine", tmp_path / "logs"
    words = ["train", "--scorer", "gbm", "--rows", str(rows_file), "--output", str(folder), "--log-dir", str(logs)]
    assert main([*words, *QUICK]) == 0
    made = Artefact.load(folder)
    assert made.version in capsys.readouterr().out
    assert {path.name for path in folder.iterdir()} == {DOCUMENT_FILE, TENSORS_FILE, CARD_FILE}
    assert made.scorer.model.kind == "gbm"
    assert made.scorer.attribution == "tree_path"
    made.serving(NAMES, shipped.encoder_identity, PROFILE_WIDTH)
    assert made.projection.matrix.tobytes() == shipped.projection.matrix.tobytes()
    assert made.categories == shipped.categories
    assert made.holdout is not None
    assert made.metrics["rows"] + made.holdout.rows == 597.0
    assert made.metrics["users"] + made.holdout.users == 199.0
    assert "later" in made.metrics
    assert made.drift is not None
    card = (folder / CARD_FILE).read_text()
    assert "wherewithal train --date 2026-11-23 --scorer gbm --rows ROWS --output FOLDER --folds 3 --trials 1" in card
    assert made.version in card
    assert any(logs.iterdir())


def test_the_scorer_transforms_each_feature_as_the_catalogue_says(rows_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    assert main(["train", "--scorer", "linear", "--rows", str(rows_file), "--output", str(folder), *QUICK]) == 0
    model = Artefact.load(folder).scorer.model
    found = dict(zip(model.names, model.document()["transforms"], strict=True))
    # Ratings are 4 or null in these rows: they do not vary, so nothing was fitted to them.
    assert found == {name: transform for name, transform in TRANSFORMS.items() if name != "mean_rating_30d"}


def rows_with(encoder: str, still: set[str]) -> list[TrainingRow]:
    """Return training rows in which these features are 0 throughout."""
    return [
        row._replace(scalars=tuple(0 if name in still else v for name, v in zip(NAMES, row.scalars, strict=True)))
        for row in training_rows(encoder)
    ]


def test_features_that_do_not_vary_are_left_out_and_named_in_one_line(
    tmp_path: Path, shipped: Artefact, capsys: pytest.CaptureFixture[str]
) -> None:
    still = {"removes_7d", "removes_30d", "mean_rating_30d"}
    file, folder = tmp_path / "rows.parquet", tmp_path / "mine"
    pq.write_table(to_table(rows_with(shipped.encoder_identity, still), targets=True), file)
    assert main(["train", "--rows", str(file), "--output", str(folder), *QUICK]) == 0
    left_out = ", ".join(name for name in NAMES if name in still)
    said = f"  left out, because they do not vary in the training rows: {left_out}"
    out = capsys.readouterr().out.splitlines()
    assert out.count(said) == 1
    assert out[out.index("  in cross-validation over the users trained on:") + 1].split()[0] == "rows"
    assert "." not in out[out.index("  in cross-validation over the users trained on:") + 1]
    made = Artefact.load(folder)
    assert made.holdout is not None
    source, _, _ = hold_out(from_rows(Settings(), file), made.holdout)
    names = tuple(name for name in NAMES if name not in still)
    assert made.drift is not None
    assert made.scorer.names == made.drift.names == names
    served = made.serving(NAMES, shipped.encoder_identity, PROFILE_WIDTH)
    rows = CheckedRows.checked(
        names, served.scorer.features_of(source.values), source.profiles, source.money, source.users
    )
    assert made.data_hash == rows.digest(names, source.users)
    moved = source.values.copy()
    moved[:, [name in still for name in NAMES]] = 1000.0
    before, after = (served.scorer.predict(values, source.profiles) for values in (source.values, moved))
    assert before.prediction.tolist() == after.prediction.tolist()


def test_rows_in_which_no_feature_varies_are_one_line(
    tmp_path: Path, shipped: Artefact, capsys: pytest.CaptureFixture[str]
) -> None:
    file, folder = tmp_path / "rows.parquet", tmp_path / "mine"
    pq.write_table(to_table(rows_with(shipped.encoder_identity, set(NAMES)), targets=True), file)
    assert main(["train", "--rows", str(file), "--output", str(folder), *QUICK]) == 1
    error = capsys.readouterr().err
    assert f"training rows: expected at least one feature that varies, found none among {len(NAMES)}" in error
    assert not folder.exists()


def test_rows_whose_outcome_is_not_known_are_left_out(rows_file: Path) -> None:
    source = from_rows(Settings(), rows_file)
    assert "u199" not in source.users
    assert source.values.shape == (597, len(NAMES))
    assert np.isfinite(source.money).all()
    assert source.population.all()


def test_rows_of_another_encoder_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pq.write_table(to_table(training_rows("other@0123456789ab", 4), targets=True), tmp_path / "rows.parquet")
    assert main(["train", "--rows", str(tmp_path / "rows.parquet"), "--output", str(tmp_path / "mine")]) == 2
    assert "found other@0123456789ab; fold the history with the encoder and scorer in use" in capsys.readouterr().err
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize("targets", [True, False])
def test_rows_without_an_outcome_are_refused(
    targets: bool, tmp_path: Path, shipped: Artefact, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [row._replace(spend_after=None) for row in training_rows(shipped.encoder_identity, 4)]
    pq.write_table(to_table(rows, targets=targets), tmp_path / "rows.parquet")
    assert main(["train", "--rows", str(tmp_path / "rows.parquet"), "--output", str(tmp_path / "mine")]) == 2
    wanted = "found 12 without" if targets else "write it with `wherewithal history --targets`"
    assert wanted in capsys.readouterr().err


def test_every_kind_is_compared_with_the_baselines_and_the_best_is_written(
    rows_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mine"
    assert main(["train", "--scorer", "all", "--rows", str(rows_file), "--output", str(folder), *QUICK]) == 0
    made, out = Artefact.load(folder), capsys.readouterr().out.splitlines()
    assert made.holdout is not None
    assert out[0].startswith(f"judged on {made.holdout.rows} rows of the {made.holdout.users} users held out")
    (chosen,) = [line for line in out if line.startswith("* ")]
    assert chosen.split()[1] == made.scorer.model.kind
    names = [line[2:23].strip() for line in out[2:14]]
    assert names == [
        "loglinear",
        "linear",
        "ziln",
        "gbm",
        "ensemble",
        "the scorer in use",
        *list(MODEL_NAMES.values())[1:],
    ]
    assert f"next: wherewithal evaluate --rows {rows_file} --artefact {folder}" in out


def test_no_user_is_held_out_if_none_is_wanted_and_the_kinds_are_then_compared_out_of_fold(
    rows_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.cli.learning.training_options.SCORERS", ("loglinear", "gbm"))
    folder = tmp_path / "mine"
    words = ["train", "--scorer", "all", "--holdout", "0", "--rows", str(rows_file), "--output", str(folder)]
    assert main([*words, *QUICK]) == 0
    made, out = Artefact.load(folder), capsys.readouterr().out.splitlines()
    assert made.holdout is None
    assert made.metrics["rows"] == 597.0
    assert out[0].startswith("judged on 597 rows of 199 users, each by fits that have not seen its user")
    (chosen,) = [line for line in out if line.startswith("* ")]
    assert chosen.split()[2] == f"{made.metrics['concordance']:.3f}"
    assert "--rows ROWS --output FOLDER --holdout 0" in (folder / CARD_FILE).read_text()


def test_a_scorer_that_is_no_better_than_chance_is_not_written_without_a_word(
    tmp_path: Path, shipped: Artefact, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(4)
    rows = [row._replace(spend_after=float(rng.random())) for row in training_rows(shipped.encoder_identity)]
    pq.write_table(to_table(rows, targets=True), tmp_path / "rows.parquet")
    folder = tmp_path / "mine"
    assert main(["train", "--rows", str(tmp_path / "rows.parquet"), "--output", str(folder), *QUICK]) == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert "no better than chance" in line
    assert "**Warning:**" in (folder / CARD_FILE).read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--holdout", "0.1"], "--holdout: expected --rows beside it, found none"),
        (["--date", "yesterday"], "--date: expected YYYY-MM-DD, found 'yesterday'"),
        (["--rows", __file__], "--output: expected a folder beside --rows"),
        (["--rows", __file__, "--output", "mine"], "test_train.py: expected a Parquet file"),
    ],
)
def test_wrong_arguments_are_one_line(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("library", ["lightgbm", "optuna"])
def test_a_missing_library_names_the_extra_that_brings_it(
    library: str,
    rows_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    words = ["train", "--scorer", "gbm", "--rows", str(rows_file), "--output", str(tmp_path / "mine")]
    assert main([*words, *QUICK]) == 1
    error = capsys.readouterr().err
    assert f"expected {library}, found none; install it with `pip install wherewithal[train]`" in error


def test_serving_needs_no_training_library() -> None:
    code = (
        "import sys\n"
        "for name in ('lightgbm', 'optuna', 'tensorboard'): sys.modules[name] = None\n"
        "import streams.inference.loading, models.artefact.artefact, models.scoring.kinds.restore\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_shipped_artefact_is_the_log_linear_scorer_with_the_card_that_describes_it(shipped: Artefact) -> None:
    folder = artefact_folder(Settings())
    assert shipped.scorer.model.kind == "loglinear"
    assert shipped.scorer.attribution == "integrated_gradients"
    assert shipped.drift is not None
    assert set(shipped.drift.names) == set(shipped.scorer.names) <= set(NAMES)
    assert shipped.version in (folder / CARD_FILE).read_text()


def test_a_linear_artefact_without_drift_and_origin_is_written_in_the_first_format(
    shipped: Artefact, tmp_path: Path
) -> None:
    linear = fitted_artefact().scorer
    assert linear.model.kind == "linear"
    level = replace(linear, calibration=Calibration(linear.calibration.x, linear.calibration.y))
    replace(shipped, scorer=level, drift=None, origin=None).save(tmp_path)
    assert '"format_version": 1' in (tmp_path / DOCUMENT_FILE).read_text()
    again = Artefact.load(tmp_path)
    assert again.drift is None
    assert again.scorer.model.tensors()["weights"].tobytes() == linear.model.tensors()["weights"].tobytes()


def train_rows(rows: Path, folder: Path, *words: str) -> Artefact:
    assert main(["train", "--rows", str(rows), "--output", str(folder), *QUICK, *words]) == 0
    return Artefact.load(folder)


def test_the_folder_of_a_history_gives_its_own_categories_money_and_currency(
    rows_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WHEREWITHAL_CURRENCY", "EUR")
    folder = tmp_path / "history"
    folder.mkdir()
    rows_file.rename(folder / FILE_NAME)
    write_counts(folder / CATEGORIES_FILE, {"hats": 3, "caps, woollen": 9, "scarves": 1, "other": 50})
    made = train_rows(folder, tmp_path / "mine", "--shop", "hats of 2026")
    assert CATEGORIES_FILE not in capsys.readouterr().err
    assert made.categories == ("caps, woollen", "hats", "scarves")
    assert made.origin is not None
    assert (made.origin.shop, made.origin.currency) == ("hats of 2026", "EUR")
    assert made.origin.order_values == sorted(made.origin.order_values) != []
    assert made.origin.price_bounds != []
    assert train_rows(folder, tmp_path / "two", "--categories", "top:2").categories == ("caps, woollen", "hats")
    (tmp_path / "list").write_text("gloves\n")
    assert train_rows(folder, tmp_path / "three", "--categories", str(tmp_path / "list")).categories == ("gloves",)
    card = (tmp_path / "mine" / CARD_FILE).read_text()
    assert "--shop 'hats of 2026'" in card
    assert "EUR" in card


def test_rows_without_counted_categories_say_that_those_of_the_scorer_in_use_are_copied(
    rows_file: Path, tmp_path: Path, shipped: Artefact, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train_rows(rows_file, tmp_path / "mine").categories == shipped.categories
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "expected categories.csv beside" in line]
    assert "copied from the scorer in use, not learnt" in line
    words = ["train", "--rows", str(rows_file), "--output", str(tmp_path / "two"), *QUICK, "--categories", "top:9"]
    assert main(words) == 2
    assert "--categories: expected categories.csv beside" in capsys.readouterr().err
    assert not (tmp_path / "two").exists()


@pytest.mark.parametrize("words", [["--categories", "top:3"], ["--shop", "hats"]])
def test_what_describes_rows_is_refused_without_rows(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *words]) == 2
    assert "--categories, --shop: expected --rows beside them" in capsys.readouterr().err
