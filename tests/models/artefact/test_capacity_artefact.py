"""The capacity artefact: what is loaded estimates like what was saved, and nothing else loads."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from models.artefact.artefact import Artefact
from models.artefact.capacity import CapacityArtefact
from models.artefact.files import DOCUMENT_FILE, TENSORS_FILE
from models.exceptions import ArtefactError, InvalidInputError
from models.profile import WIDTH
from models.scoring.capacity import NOT_FOR, VECTORS, CapacityScorer
from models.scoring.kinds.linear import LinearModel
from models.scoring.standardising import Standardiser, Transform

NAMES = ("spend_30d", "lifetime_orders")
ROWS = [[12.5, 4], [None, 40], [3.0, 2]]


def artefact(**changes: object) -> CapacityArtefact:
    rng = np.random.default_rng(4)
    scorer = CapacityScorer(
        model=LinearModel(
            standardiser=Standardiser(
                names=NAMES,
                transforms=(Transform.SIGNED_LOG1P, Transform.SIGNED_LOG1P),
                means=rng.random(2),
                scales=rng.random(2) + 0.1,
            ),
            weights=rng.normal(size=2),
            vector_weights=rng.normal(size=2 * WIDTH),
            intercept=0.5,
            vectors=VECTORS,
        ),
        reference=np.sort(rng.normal(size=1000)),
        least_evidence=3,
    )
    parts: dict[str, object] = {
        "scorer": scorer,
        "encoder_name": "mini",
        "encoder_identity": "mini@0123456789ab",
        "date": date(2026, 11, 28),
        "seed": 7,
        "data": "made-up shoppers",
        "data_hash": "00ff",
        "shop": "hats.example",
        "metrics": {"spearman": 0.41, "options": {"weight_decay": 0.1}},
    }
    return CapacityArtefact(**{**parts, **changes})  # type: ignore[arg-type]


def vectors(rows: int = 3) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {name: rng.normal(size=(rows, WIDTH)).astype(np.float32) for name in reversed(VECTORS)}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    artefact().save(tmp_path / "new")
    return tmp_path / "new"


def test_what_is_loaded_estimates_to_the_last_bit_like_what_was_saved(saved: Path) -> None:
    before, after = artefact(), CapacityArtefact.load(saved)
    first, second = before.scorer.predict(ROWS, vectors()), after.scorer.predict(ROWS, vectors())
    assert (first.capacity, first.prediction, first.band) == (second.capacity, second.prediction, second.band)
    assert first.reasons(1) == second.reasons(1)
    assert after.version == before.version
    assert (after.head, after.not_for) == ("capacity", NOT_FOR)
    assert (after.scorer.least_evidence, after.shop, after.metrics) == (3, before.shop, before.metrics)


def test_the_file_itself_names_its_head_and_what_it_is_not_for(saved: Path) -> None:
    document = json.loads((saved / DOCUMENT_FILE).read_text())
    assert (document["head"], document["not_for"]) == ("capacity", list(NOT_FOR))


def test_an_artefact_of_the_other_head_is_refused_by_name(saved: Path) -> None:
    with pytest.raises(ArtefactError, match="expected an artefact of the head spend, found one of 'capacity'"):
        Artefact.load(saved)
    shipped = Path(__file__).parents[3] / "models" / "artefacts" / "default"
    with pytest.raises(ArtefactError, match="expected an artefact of the head capacity, found one of 'spend'"):
        CapacityArtefact.load(shipped)


@pytest.mark.parametrize("file", [DOCUMENT_FILE, TENSORS_FILE])
def test_a_damaged_or_missing_file_is_refused(saved: Path, file: str) -> None:
    content = (saved / file).read_bytes()
    for damaged in (content[:-20], b"", b"\xff\xfe"):
        (saved / file).write_bytes(damaged)
        with pytest.raises(ArtefactError):
            CapacityArtefact.load(saved)
    (saved / file).unlink()
    with pytest.raises(ArtefactError, match="expected a readable file"):
        CapacityArtefact.load(saved)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"least_evidence": 0}, "changed after it was saved"),
        ({"not_for": []}, "changed after it was saved"),
        ({"least_evidence": -1}, "expected 0 orders or more"),
        ({"band_bounds": [66.7, 33.3]}, "band bounds"),
        ({"model": {"transforms": ["identity", "identity"], "vectors": ["a", "a"]}}, "vectors: expected different"),
        ({"model": 3}, "damaged"),
        ({"format_version": 5}, "expected format version 4, found 5"),
        ({"profile_width": 65}, "expected a profile of width 64"),
        ({"surprise": 1}, "damaged"),
    ],
)
def test_a_document_that_was_changed_is_refused(saved: Path, change: dict[str, object], message: str) -> None:
    document = json.loads((saved / DOCUMENT_FILE).read_text())
    (saved / DOCUMENT_FILE).write_text(json.dumps({**document, **change}))
    with pytest.raises(ArtefactError, match=message):
        CapacityArtefact.load(saved)


def test_columns_are_looked_up_by_name_and_the_encoder_has_to_match() -> None:
    made = artefact()
    wider = made.serving(("views_1h", "lifetime_orders", "spend_30d"), made.encoder_identity)
    rows = [[9, row[1], row[0]] for row in ROWS]
    assert wider.scorer.predict(rows, vectors()).prediction == made.scorer.predict(ROWS, vectors()).prediction
    with pytest.raises(ArtefactError, match="expects 'spend_30d'"):
        made.serving(("lifetime_orders",), None)
    with pytest.raises(ArtefactError, match="expects mini@0123456789ab, found other"):
        made.serving(NAMES, "other")


def test_metrics_have_to_be_finite() -> None:
    with pytest.raises(ArtefactError, match="found another in 'spearman'"):
        artefact(metrics={"spearman": float("nan")})


def test_rows_without_the_evidence_and_vectors_that_are_missing_are_refused() -> None:
    scorer = artefact().scorer
    with pytest.raises(InvalidInputError, match="found no taste_vector"):
        scorer.predict(ROWS, {"profile_vector": vectors()["profile_vector"]})
    with pytest.raises(InvalidInputError, match="different numbers"):
        scorer.predict(ROWS, {**vectors(), "taste_vector": vectors(2)["taste_vector"]})
    with pytest.raises(InvalidInputError, match="expected finite numbers"):
        scorer.predict([[float("inf"), 4]] * 3, vectors())
    blind = replace(
        scorer, model=replace(scorer.model, standardiser=replace(scorer.model.standardiser, names=("a", "b")))
    )
    with pytest.raises(InvalidInputError, match="expected lifetime_orders in every row"):
        blind.predict(ROWS, vectors())
