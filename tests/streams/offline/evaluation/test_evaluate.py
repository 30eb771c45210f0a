import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.artefacts import fitted_artefact
from support.baskets import quiet_orders
from support.encoders import HashEncoder
from support.paths import ROOT

from features.users.catalogue import NAMES, PROFILE_WIDTH, SCALARS
from models.artefact.artefact import Artefact
from models.artefact.holdout import SALT, Holdout
from models.exceptions import InvalidInputError
from models.measures.baselines import NAMES as BASELINES
from models.scoring.population import reference_of
from models.training.rows import TrainingRows
from streams.cli.main import main
from streams.exceptions import ConfigurationError
from streams.inference.loading import artefact_folder
from streams.offline.evaluation.comparison import MEASURES, compare, verdict
from streams.offline.evaluation.forecasts import Forecast, of_baselines
from streams.offline.evaluation.from_rows import from_rows
from streams.offline.evaluation.from_sample import from_sample
from streams.offline.evaluation.page import page
from streams.offline.evaluation.report import evaluate, require_finite
from streams.offline.sample.orders import is_held_out
from streams.offline.training.rows_file import FILE_NAME, TrainingRow, to_table
from streams.settings import Settings

DAY_MS = 86_400_000
SCALAR = {name: position for position, name in enumerate(NAMES)}


def say_nothing(what: str, done: int, of: int) -> None:
    """Nobody looks."""


@pytest.fixture(scope="module")
def shipped() -> Artefact:
    artefact = Artefact.load(artefact_folder(Settings()))
    return artefact.serving(NAMES, artefact.encoder_identity, PROFILE_WIDTH)


def training_rows(encoder: str, users: int = 240) -> list[TrainingRow]:
    """Two rows a user; who bought often buys again; one in eight never bought; one user's outcome is unknown."""
    rng = np.random.default_rng(2)
    rows = []
    for user in range(users):
        rate, age = rng.gamma(1.2, 1.5), float(rng.uniform(60, 300))
        for visit in range(2):
            tenure = age + 40 * visit
            repeats = int(rng.poisson(rate))
            never = user % 8 == 0
            row: list[int | float | None] = [0 if scalar.integer else None for scalar in SCALARS]
            row[SCALAR["tenure_days"]] = tenure
            row[SCALAR["lifetime_orders"]] = 0 if never else 1 + repeats
            row[SCALAR["lifetime_spend"]] = 0.0 if never else float((1 + repeats) * rng.uniform(10, 40))
            if not never:
                row[SCALAR["days_since_last_purchase"]] = tenure * rng.random() if repeats else tenure
            profile = np.zeros(PROFILE_WIDTH, np.float32)
            profile[user % PROFILE_WIDTH] = 1
            spent = float(rng.uniform(5, 60)) if rng.random() < rate / (2 + rate) else 0.0
            after = None if user == 1 else spent
            rows.append(
                TrainingRow(f"u{user}", (1000 + 40 * visit) * DAY_MS, tuple(row), profile, profile, 1, encoder, after)
            )
    return rows


@pytest.fixture(scope="module")
def rows_file(tmp_path_factory, shipped) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    rows = training_rows(shipped.encoder_identity)
    table = to_table(rows, targets=True)
    plan = [None if i % 50 == 0 else "gold" if i % 3 else "blue" for i in range(len(rows))]
    pq.write_table(table.append_column("plan", pa.array(plan)), path)
    return path


@pytest.fixture(scope="module")
def document():
    """Of 160 customers of the sample, with an encoder that costs nothing."""
    fitted = fitted_artefact()
    artefact = fitted.serving(NAMES, fitted.encoder_identity, PROFILE_WIDTH)
    material = from_sample(artefact, HashEncoder(), quiet_orders(160))
    # Of its own population, in which scores are spread.
    everybody = artefact.scorer.predict(material.asked.values, material.asked.profiles).prediction
    artefact = replace(artefact, scorer=replace(artefact.scorer, reference=reference_of(everybody)))
    return evaluate(artefact, material, currency="USD", size_bytes=1234, draws=6, seed=0, progress=say_nothing)


@pytest.fixture(scope="module")
def text(document) -> str:
    """The page of the document."""
    return page(document)


class Parsed(HTMLParser):
    """What a page holds, and that its tags close."""

    VOID = frozenset({"meta", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.ids += [value for name, value in attrs if name == "id"]
        self.links += [value for name, value in attrs if name in ("src", "href", "xlink:href")]
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self._open.pop()

    def handle_endtag(self, tag):
        assert self._open.pop() == tag


def test_the_scorer_and_every_baseline_have_every_measure_with_an_interval(document):
    assert set(document["metrics"]) == {"scorer", *BASELINES}
    for row in document["metrics"].values():
        assert set(row) == set(MEASURES)
        assert all(found["low"] <= found["high"] for found in row.values())
    zero = document["metrics"]["zero"]
    assert zero["concordance"] == {"value": 0.5, "low": 0.5, "high": 0.5}
    assert zero["auc"] == {name: pytest.approx(0.5) for name in ("value", "low", "high")}
    assert document["metrics"]["past_spend"]["concordance"]["value"] > 0.55
    assert set(document["ahead"]) == set(BASELINES)
    assert verdict(document["ahead"]["zero"]["concordance"]) == "ahead"


def test_nobody_judged_was_fitted_on_and_it_is_said_how_that_is_known(document):
    data = document["data"]
    assert data["users_in_both"] == 0
    assert data["overlap"] == "none"
    assert data["rows"] > data["users"] > 60
    assert document["artefact"]["bytes"] == 1234


def test_the_ablation_has_both_ways_and_says_that_the_text_is_simulated(document):
    assert {"withheld", "refitted"} <= set(document["ablation"])
    for way in ("withheld", "refitted"):
        found = document["ablation"][way]
        assert found["ahead"]["concordance"]["value"] == pytest.approx(
            found["with_text"]["concordance"]["value"] - found["without_text"]["concordance"]["value"]
        )
    assert document["ablation"]["simulated_text"] is True
    assert document["ablation"]["fit_seconds"] > 0


def test_groups_are_compared_and_texts_rewritten(document):
    assert set(document["fairness"]["columns"]) == {"income", "age", "household", "children"}
    assert document["stability"]["kinds"]["typing_errors"]["mean_absolute"] > 0


def test_the_summary_tells_the_money_of_the_measures(document, text):
    business, share = document["business"], document["metrics"]["scorer"]["top_decile_share"]["value"]
    assert business["currency"] == "USD"
    assert business["money"] == pytest.approx(1000 * document["data"]["mean_spend"])
    for name, row in document["metrics"].items():
        assert business["models"][name]["share"] == pytest.approx(row["top_decile_share"]["value"])
        assert business["gains"][name][10] == pytest.approx(row["top_decile_share"]["value"], abs=0.01)
    assert business["found"]["money"] == pytest.approx(share * business["money"])
    assert sum(row["share"] for row in business["tiers"].values()) == pytest.approx(1)
    assert f"{share:.0%} of the money (95% interval " in re.sub(r"\s+", " ", text)
    assert "All measures" in text


def test_the_features_gone_by_are_those_of_the_scorer(document):
    found = document["importance"]
    assert found["attribution"] == document["artefact"]["attribution"]
    assert found["features"][0]["mean_absolute"] > 0
    assert {row["feature"] for row in found["features"]} <= {*NAMES, "profile_vector"}


def test_the_document_is_finite_and_comes_back_from_json(document):
    require_finite(document)
    assert json.loads(orjson.dumps(document)) == document
    with pytest.raises(InvalidInputError, match=r"report\.a\.b"):
        require_finite({"a": {"b": [1.0, float("nan")]}})


def test_the_page_is_one_file_with_a_caption_for_every_plot_and_a_summary_first(document, text):
    parsed = Parsed(text)
    # Gains, importance, forest, calibration, curves, four columns of groups, stability.
    assert parsed.tags.count("svg") == parsed.tags.count("figcaption") == 10
    assert text.index("Of 1,000 shoppers scored on a day") < text.index("<svg") < text.index("All measures")
    # More columns than these are cut off at 1,000 pixels.
    assert max(len(re.findall(r"<th\b", head)) for head in re.findall(r"<thead>.*?</thead>", text, re.DOTALL)) <= 9
    assert len(parsed.ids) == len(set(parsed.ids))
    assert all(link.startswith("#") and link[1:] in parsed.ids for link in parsed.links)
    assert "script" not in parsed.tags
    assert not re.search(r"@import|url\((?!#)", text)
    assert "currentColor" in text
    assert "#010203" not in text
    assert "no lift can be claimed" in text
    assert page(document) == text


def test_words_follow_the_numbers(document):
    changed = json.loads(orjson.dumps(document))
    for row in changed["ahead"].values():
        row["concordance"] = {"value": -0.1, "low": -0.2, "high": -0.05}
    changed["ablation"]["simulated_text"] = False
    changed["stability"] = {"skipped": "nobody wrote <anything>"}
    changed["data"] |= {"overlap": "certain", "profile_used": False}
    text = re.sub(r"\s+", " ", page(changed))
    assert "By concordance the scorer is behind predict zero, past spend," in text
    assert "no lift can be claimed" not in text
    assert "Not measured: nobody wrote &lt;anything&gt;." in text
    assert "Not a test:" in text
    assert "as much, give or take chance, by" in text or "hold less by" in text
    assert "from behaviour alone" in text


def test_a_difference_is_paired_and_its_sign_says_who_is_better(rows_file, shipped):
    rows = from_rows(rows_file, shipped).asked
    perfect = Forecast(rows.money, rows.money, 0.01)
    worse = Forecast(rows.money, rows.money + 1, 0.01)
    everybody = np.arange(len(rows.users))
    found = compare(rows, {"scorer": perfect, "zero": worse}, [everybody] * 2, say_nothing).ahead("scorer", ["zero"])
    assert found["zero"]["concordance"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert found["zero"]["mae"] == {name: pytest.approx(1.0) for name in ("value", "low", "high")}
    assert verdict(found["zero"]["mae"]) == "ahead"
    assert verdict(found["zero"]["concordance"]) == "not told apart"


def test_baselines_of_users_without_an_order_go_by_what_such_users_spent(rows_file, shipped):
    material = from_rows(rows_file, shipped)
    never, known_never = ~material.asked.customers, ~material.known.customers
    assert never.any()
    forecasts = of_baselines(material)
    usual = material.known.money[known_never].mean()
    for name in ("zero", "past_spend", "past_orders"):
        assert not forecasts[name].money[never].any()
    for name in ("bg_nbd", "bg_nbd_gamma_gamma", "boosting_rfm"):
        assert forecasts[name].money[never] == pytest.approx(usual)


def test_rows_of_a_file_are_divided_by_user_and_unknown_outcomes_left_out(rows_file, shipped):
    material = from_rows(rows_file, shipped, ["plan"])
    assert all(is_held_out(user) for user in material.asked.users)
    assert not any(is_held_out(user) for user in material.known.users)
    assert len(material.asked.users) + len(material.known.users) == 478
    assert set(material.groups["plan"].tolist()) == {"gold", "blue", "unknown"}
    assert material.groups["plan"].size == len(material.asked.users)
    assert material.overlap == "unknown"
    assert material.use_profile


def test_the_very_rows_a_scorer_was_trained_on_are_recognised(rows_file, shipped):
    rows = [row for row in training_rows(shipped.encoder_identity) if row.spend_after is not None]
    fitted = shipped.scorer.names
    trained = TrainingRows.checked(
        fitted,
        [[row.scalars[NAMES.index(name)] for name in fitted] for row in rows],
        np.stack([row.profile for row in rows]),
        [row.spend_after for row in rows],
        [row.user_id for row in rows],
    )
    digest = trained.digest(fitted, [row.user_id for row in rows])
    assert from_rows(rows_file, replace(shipped, data_hash=digest)).overlap == "certain"


def test_an_artefact_with_a_holdout_is_judged_on_the_users_it_holds_out_alone(rows_file, shipped):
    holdout = Holdout(salt=SALT, share=0.3)
    material = from_rows(rows_file, replace(shipped, holdout=holdout), ["plan"])
    assert all(map(holdout.holds_out, material.asked.users))
    assert not any(map(holdout.holds_out, material.known.users))
    assert len(material.asked.users) + len(material.known.users) == 478
    assert material.groups["plan"].size == len(material.asked.users)
    assert material.overlap == "none"
    assert "a share of 0.3 by a hash of the id with the salt `holdout`" in material.data


def test_a_holdout_that_is_ignored_is_divided_into_halves_and_the_training_rows_are_recognised(rows_file, shipped):
    holdout = Holdout(salt=SALT, share=0.3)
    plain = from_rows(rows_file, shipped)
    ignoring = from_rows(rows_file, replace(shipped, holdout=holdout), ignore_holdout=True)
    assert ignoring.asked.users == plain.asked.users
    assert ignoring.overlap == "unknown"
    kept = from_rows(rows_file, replace(shipped, holdout=holdout)).known
    names, values = shipped.scorer.names, shipped.serving(NAMES, None, PROFILE_WIDTH).scorer.features_of(kept.values)
    digest = TrainingRows.checked(names, values, kept.profiles, kept.money, kept.users).digest(names, kept.users)
    trained = replace(shipped, holdout=holdout, data_hash=digest)
    assert from_rows(rows_file, trained, ignore_holdout=True).overlap == "certain"
    assert from_rows(rows_file, trained).overlap == "none"


@pytest.mark.parametrize(
    ("words", "option", "said"),
    [
        ([], [], ""),
        ([], ["--ignore-holdout"], "warning: in-sample: the rows have the very SHA-256"),
        (["--holdout", "0"], [], "warning: in-sample: the rows have the very SHA-256"),
    ],
)
def test_the_console_says_when_users_judged_were_trained_on(words, option, said, rows_file, tmp_path, capsys):
    train = ["train", "--rows", str(rows_file), "--output", str(tmp_path / "mine"), "--folds", "3", *words]
    assert main(train) == 0
    capsys.readouterr()
    judge = ["evaluate", "--rows", str(rows_file), "--artefact", str(tmp_path / "mine"), "--bootstrap", "2"]
    assert main([*judge, "--output", str(tmp_path / "report"), *option]) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith(("warning", "note"))]
    assert len(told) == bool(said)
    assert not said or told[0].startswith(said)


def test_the_console_says_when_it_is_not_known_who_was_trained_on(rows_file, tmp_path, capsys):
    words = ["evaluate", "--rows", str(rows_file), "--bootstrap", "2", "--output", str(tmp_path / "report")]
    assert main(words) == 0
    assert "note: whether it was trained on these users is not known" in capsys.readouterr().err


def test_the_folder_that_history_wrote_is_as_good_as_the_file_in_it(rows_file, tmp_path, shipped):
    (tmp_path / "history").mkdir()
    shutil.copy(rows_file, tmp_path / "history" / FILE_NAME)
    assert from_rows(tmp_path / "history", shipped).overlap == "unknown"
    with pytest.raises(SystemExit):
        main(["evaluate", "--rows", str(tmp_path / "nothing")])


def test_profiles_of_another_encoder_are_not_used(rows_file, shipped):
    assert not from_rows(rows_file, replace(shipped, encoder_identity="other@000000000000")).use_profile


def test_a_file_without_targets_and_a_column_that_is_not_there_are_refused(rows_file, tmp_path, shipped):
    pq.write_table(to_table(training_rows(shipped.encoder_identity), targets=False), tmp_path / "rows.parquet")
    with pytest.raises(ConfigurationError, match="--targets"):
        from_rows(tmp_path / "rows.parquet", shipped)
    with pytest.raises(ConfigurationError, match="found no income"):
        from_rows(rows_file, shipped, ["income"])


def test_the_command_writes_page_and_document_of_a_file(rows_file, tmp_path, capsys):
    words = ["evaluate", "--rows", str(rows_file), "--group", "plan", "--bootstrap", "4", "--output", str(tmp_path)]
    assert main([*words, "--json"]) == 0
    said = capsys.readouterr()
    written = orjson.loads((tmp_path / "report.json").read_bytes())
    assert orjson.loads(said.out) == written
    assert "skipped" in written["stability"]
    assert set(written["fairness"]["columns"]["plan"]["groups"]) == {"gold", "blue", "unknown"}
    assert written["ablation"]["simulated_text"] is False
    assert "fitting baselines\n" in said.err
    Parsed((tmp_path / "report.html").read_text(encoding="utf-8"))


def test_the_report_that_is_shown_is_that_of_the_shipped_scorer(shipped):
    folder = ROOT / "docs" / "report"
    shown = orjson.loads((folder / "report.json").read_bytes())
    assert shown["artefact"]["version"] == shipped.version, "run `wherewithal evaluate --output docs/report` again"
    assert shipped.version in (folder / "report.html").read_text(encoding="utf-8")
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1_000_000


@pytest.mark.parametrize("option", ["--rows", "--artefact"])
def test_what_is_no_rows_and_no_artefact_is_told_in_one_line(option, tmp_path, capsys):
    (tmp_path / "file").write_text("neither")
    assert main(["evaluate", option, str(tmp_path / "file" if option == "--rows" else tmp_path)]) in (1, 2)
    error = capsys.readouterr().err
    assert str(tmp_path) in error
    assert error.count("\n") == 1
