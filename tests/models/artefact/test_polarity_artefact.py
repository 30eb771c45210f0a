"""The artefact of the head of polarity: what is loaded reads like what was saved, and nothing else loads."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest

import models
from models.artefact.capacity import CapacityArtefact
from models.artefact.card import CARD_FILE
from models.artefact.files import DOCUMENT_FILE, TENSORS_FILE, require_own
from models.artefact.polarity import PolarityArtefact
from models.artefact.polarity_card import polarity_card
from models.exceptions import ArtefactError

WIDTH = 8
SHIPPED = Path(models.__file__).parent / "artefacts" / "sentiment"


def artefact(**changes: object) -> PolarityArtefact:
    parts: dict[str, object] = {
        "weights": np.random.default_rng(5).normal(size=WIDTH),
        "calibration": np.array([0.1, 0.9, -0.2]),
        "encoder_name": "mini",
        "encoder_identity": "mini@0123456789ab",
        "date": date(2026, 11, 29),
        "seed": 7,
        "data": "made-up reviews",
        "data_hash": "00ff",
        "shop": "hats.example",
        "metrics": {"texts": 100.0, "unseen": {"reviews": 25.0}, "accuracy": {"reviews": 0.8}, "brier": {}},
    }
    return PolarityArtefact(**{**parts, **changes})  # type: ignore[arg-type]


def test_what_is_loaded_is_what_was_saved(tmp_path: Path) -> None:
    saved = artefact()
    saved.save(tmp_path)
    loaded = PolarityArtefact.load(tmp_path)
    embeddings = np.random.default_rng(1).normal(size=(5, WIDTH)).astype(np.float32)
    assert (loaded.polarity.polarity(embeddings) == saved.polarity.polarity(embeddings)).all()
    assert loaded.version == saved.version
    assert loaded.version.startswith("2026-11-29-")
    assert loaded.polarity.identity == saved.polarity.identity
    assert (loaded.shop, loaded.data_hash, loaded.metrics) == (saved.shop, saved.data_hash, saved.metrics)
    assert loaded.matches("mini@0123456789ab")
    assert not loaded.matches("mini@0123456789ac")


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        artefact().save(tmp_path / name)
    for file in (DOCUMENT_FILE, TENSORS_FILE):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_an_artefact_that_cannot_be_written_in_full_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    artefact().save(tmp_path, {CARD_FILE: b"old"})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert before.keys() == {CARD_FILE, DOCUMENT_FILE, TENSORS_FILE}
    with pytest.raises(OSError, match="none/card") as refused:
        artefact(seed=8).save(tmp_path, {CARD_FILE: b"new", "none/card": b""})
    assert refused.value.filename is not None
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("name", [TENSORS_FILE, DOCUMENT_FILE])
@pytest.mark.parametrize("content", [b"", b"{}", b'{"format_version": 4, "head": "capacity"}', b"\xff"])
def test_a_folder_of_something_else_is_nobodys_own(tmp_path: Path, name: str, content: bytes) -> None:
    require_own(tmp_path / "none", "sentiment")
    require_own(tmp_path, "sentiment")
    artefact().save(tmp_path)
    require_own(tmp_path, "sentiment")
    with pytest.raises(ArtefactError, match=r"the head spend, found model\.json of something else"):
        require_own(tmp_path, "spend")
    for file in (DOCUMENT_FILE, TENSORS_FILE):
        (tmp_path / file).unlink()
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ArtefactError, match=f"found {name} of something else"):
        require_own(tmp_path, "sentiment")


@pytest.mark.parametrize(
    ("field", "value"), [("data", "other words"), ("encoder_identity", "mini@0"), ("metrics", {}), ("seed", 8)]
)
def test_a_document_that_was_changed_is_refused(tmp_path: Path, field: str, value: object) -> None:
    artefact().save(tmp_path)
    document = json.loads((tmp_path / DOCUMENT_FILE).read_bytes())
    (tmp_path / DOCUMENT_FILE).write_text(json.dumps(document | {field: value}))
    with pytest.raises(ArtefactError, match="changed after it was saved"):
        PolarityArtefact.load(tmp_path)


def test_tensors_of_another_artefact_are_refused(tmp_path: Path) -> None:
    artefact().save(tmp_path / "a")
    artefact(weights=np.ones(WIDTH)).save(tmp_path / "b")
    (tmp_path / "b" / TENSORS_FILE).replace(tmp_path / "a" / TENSORS_FILE)
    with pytest.raises(ArtefactError, match="damaged file or that of another"):
        PolarityArtefact.load(tmp_path / "a")


def test_an_artefact_of_another_head_is_refused_by_name(tmp_path: Path) -> None:
    artefact().save(tmp_path)
    with pytest.raises(ArtefactError, match="expected an artefact of the head capacity, found one of 'sentiment'"):
        CapacityArtefact.load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff\xfe", b'{"format_version": 99, "head": "sentiment"}'])
def test_a_file_that_is_no_document_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    artefact().save(tmp_path)
    (tmp_path / DOCUMENT_FILE).write_bytes(content)
    with pytest.raises(ArtefactError) as refused:
        PolarityArtefact.load(tmp_path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"calibration": np.array([0.1, 0.9])},
        {"calibration": np.array([0.1, -0.9, 0.0])},
        {"weights": np.array([np.nan])},
        {"metrics": {"accuracy": {"reviews": np.inf}}},
    ],
)
def test_numbers_that_are_no_head_make_no_artefact(changes: dict[str, object]) -> None:
    with pytest.raises(ArtefactError):
        artefact(**changes)


def test_the_card_says_where_it_comes_from_and_how_good_it_is() -> None:
    card = polarity_card(artefact(), "wherewithal train --head sentiment")
    for said in (
        artefact().version,
        artefact().polarity.identity,
        "hats.example",
        "| reviews | 25 | 0.800 | - | - | - |",
    ):
        assert said in card
    assert "It was not measured." in polarity_card(artefact(metrics={}), "x")


def test_the_card_is_the_same_once_the_artefact_was_saved_and_loaded(tmp_path: Path) -> None:
    several: dict[str, dict[str, float]] = {"unseen": {"reviews": 25.0, "films": 9.0}, "accuracy": {"reviews": 0.8}}
    saved = artefact(metrics=several)
    saved.save(tmp_path)
    assert polarity_card(PolarityArtefact.load(tmp_path), "x") == polarity_card(saved, "x")


@pytest.mark.parametrize("folder", sorted(SHIPPED.iterdir()), ids=lambda folder: folder.name)
def test_a_shipped_card_is_that_of_its_artefact(folder: Path) -> None:
    shipped = (folder / CARD_FILE).read_text(encoding="utf-8")
    command = shipped.partition("```sh\n")[2].partition("\n```")[0]
    assert polarity_card(PolarityArtefact.load(folder), command) == shipped
