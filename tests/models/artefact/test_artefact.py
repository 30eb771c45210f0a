import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from models.artefact.artefact import Artefact
from models.artefact.files import DOCUMENT_FILE, TENSORS_FILE
from models.exceptions import ArtefactError
from models.profile import WIDTH, Projection
from models.scoring.calibration import Calibration
from models.scoring.kinds.linear import LinearModel
from models.scoring.scorer import Scorer
from models.scoring.standardising import Standardiser, Transform

NAMES = ("views_1h", "spend_30d", "conversion_30d")


def artefact(**changes: object) -> Artefact:
    rng = np.random.default_rng(4)
    scorer = Scorer(
        model=LinearModel(
            standardiser=Standardiser(
                names=NAMES,
                transforms=(Transform.SIGNED_LOG1P, Transform.SIGNED_LOG1P, Transform.IDENTITY),
                means=rng.random(3),
                scales=rng.random(3) + 0.1,
            ),
            weights=rng.normal(size=3),
            vector_weights=rng.normal(size=WIDTH),
            intercept=0.1 + 0.2,
        ),
        reference=np.sort(rng.normal(size=4001)),
        calibration=Calibration(np.arange(256.0), np.arange(256.0) / 3),
    )
    parts: dict[str, object] = {
        "scorer": scorer,
        "projection": Projection.orthogonal(384),
        "encoder_name": "mini",
        "encoder_identity": "mini@0123456789ab",
        "date": date(2026, 11, 23),
        "seed": 7,
        "data": "made-up shoppers",
        "data_hash": "00ff",
        "categories": ("books", "électronique"),
        "metrics": {"concordance": 0.71, "rmse_log1p_by_fold": {"0": 1.0, "1": 1.25}},
    }
    return Artefact(**{**parts, **changes})  # type: ignore[arg-type]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    artefact().save(tmp_path / "new" / "folder")
    return tmp_path / "new" / "folder"


def rewrite(folder: Path, change: Callable[[dict], object]) -> None:
    """Change the document, its version left as it was."""
    document = json.loads((folder / DOCUMENT_FILE).read_text())
    change(document)
    (folder / DOCUMENT_FILE).write_text(json.dumps(document))


def rewrite_tensors(folder: Path, change: Callable[[dict], object]) -> None:
    """Change the tensors and let the document vouch for them, as a faulty writer would."""
    tensors = {name: tensor.copy() for name, tensor in load_file(folder / TENSORS_FILE).items()}
    change(tensors)
    save_file(tensors, folder / TENSORS_FILE)
    digest = hashlib.sha256((folder / TENSORS_FILE).read_bytes()).hexdigest()
    rewrite(folder, lambda document: document.update(tensors_sha256=digest))


def test_what_is_loaded_scores_to_the_last_bit_like_what_was_saved(saved: Path) -> None:
    before, after = artefact(), Artefact.load(saved)
    rows = [[3, 12.5, None], [0, 0.0, 0.5]]
    profiles = np.random.default_rng(1).normal(size=(2, WIDTH)).astype(np.float32)
    first, second = before.scorer.predict(rows, profiles), after.scorer.predict(rows, profiles)
    for name in ("prediction", "expected_spend", "score"):
        assert getattr(first, name).tolist() == getattr(second, name).tolist()
    assert first.tier == second.tier
    assert first.reasons(1) == second.reasons(1)
    assert before.projection.matrix.tobytes() == after.projection.matrix.tobytes()
    for name in ("categories", "metrics", "seed", "date", "data", "data_hash", "encoder_name", "version", "width"):
        assert getattr(before, name) == getattr(after, name)


def test_saving_the_same_content_gives_the_same_bytes(saved: Path, tmp_path: Path) -> None:
    artefact().save(tmp_path / "again")
    Artefact.load(saved).save(tmp_path / "loaded")
    for name in (TENSORS_FILE, DOCUMENT_FILE):
        assert (saved / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
        assert (saved / name).read_bytes() == (tmp_path / "loaded" / name).read_bytes()


def test_an_artefact_is_two_files_below_one_megabyte(saved: Path) -> None:
    files = list(saved.iterdir())
    assert {file.name for file in files} == {TENSORS_FILE, DOCUMENT_FILE}
    assert sum(file.stat().st_size for file in files) < 1_000_000


def test_the_version_is_the_date_and_a_hash_of_the_content() -> None:
    assert re.fullmatch(r"2026-11-23-[0-9a-f]{6}", artefact().version)
    assert artefact().version == artefact().version
    others = [artefact(seed=8), artefact(categories=()), artefact(projection=Projection.orthogonal(384, seed=1))]
    assert len({artefact().version, *(other.version for other in others)}) == 4


def test_saving_over_another_artefact_replaces_it(saved: Path) -> None:
    artefact(seed=8).save(saved)
    assert Artefact.load(saved).seed == 8
    assert len(list(saved.iterdir())) == 2


def test_an_artefact_serves_the_features_the_encoder_and_the_width_it_was_made_for(saved: Path) -> None:
    loaded = Artefact.load(saved)
    assert loaded.serving(NAMES, "mini@0123456789ab", WIDTH) is loaded
    assert loaded.matches("mini@0123456789ab")


@pytest.mark.parametrize("names", [NAMES[:2], ("views_1h", "spend_30d", "conversion_7d", "extra")])
def test_a_feature_that_rows_lack_is_refused_in_one_line(names: tuple[str, ...]) -> None:
    message = f"features: artefact {artefact().version} expects 'conversion_30d', found {len(names)} features without"
    with pytest.raises(ArtefactError, match=message) as refused:
        artefact().serving(names, "mini@0123456789ab", WIDTH)
    assert "\n" not in str(refused.value)


@given(names=st.permutations([*NAMES, "new_1h", "new_30d"]))
@settings(max_examples=20, deadline=None)
def test_features_beside_those_it_was_fitted_on_change_neither_score_nor_content(names: list[str]) -> None:
    subject = artefact()
    served = subject.serving(names, None, WIDTH)
    rows = [{"views_1h": 3, "spend_30d": 12.5, "conversion_30d": None, "new_1h": 7.0, "new_30d": None}]
    expected = subject.scorer.predict([[row[name] for name in NAMES] for row in rows], None, use_profile=False)
    found = served.scorer.predict([[row[name] for name in names] for row in rows], None, use_profile=False)
    assert found.prediction.tolist() == expected.prediction.tolist()
    assert found.reasons(0) == expected.reasons(0)
    assert served.scorer.row_names == tuple(names)
    assert (served.version, served.scorer.names) == (subject.version, NAMES)


def test_another_encoder_is_refused_unless_behaviour_alone_is_scored() -> None:
    subject = artefact()
    assert not subject.matches("mini@ffffffffffff")
    with pytest.raises(ArtefactError, match="expects mini@0123456789ab, found mini@ffffffffffff"):
        subject.serving(NAMES, "mini@ffffffffffff", WIDTH)
    assert subject.serving(NAMES, None, WIDTH) is subject


def test_another_width_is_refused() -> None:
    with pytest.raises(ArtefactError, match="expects a vector of width 64, found 32"):
        artefact().serving(NAMES, "mini@0123456789ab", 32)


@pytest.mark.parametrize("name", [TENSORS_FILE, DOCUMENT_FILE])
def test_a_missing_file_is_named(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(ArtefactError, match=f"expected a readable file .*{name}"):
        Artefact.load(saved)


@pytest.mark.parametrize("name", [TENSORS_FILE, DOCUMENT_FILE])
@pytest.mark.parametrize("length", [0, 10, 500])
def test_a_truncated_file_is_damaged(saved: Path, name: str, length: int) -> None:
    (saved / name).write_bytes((saved / name).read_bytes()[:length])
    with pytest.raises(ArtefactError, match=f"{name}: .*damaged"):
        Artefact.load(saved)


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_flipped_bit_of_either_file_changes_a_score_unnoticed(saved: Path, data: st.DataObject) -> None:
    path = saved / data.draw(st.sampled_from([TENSORS_FILE, DOCUMENT_FILE]))
    sound = path.read_bytes()
    position = data.draw(st.integers(0, len(sound) - 1))
    flipped = bytes([sound[position] ^ (1 << data.draw(st.integers(0, 7)))])
    path.write_bytes(sound[:position] + flipped + sound[position + 1 :])
    try:
        loaded = Artefact.load(saved)
    except ArtefactError:
        return
    else:
        # White space of the document, or an escape that spells the same text.
        assert path.name == DOCUMENT_FILE
        assert loaded.version == artefact().version
    finally:
        path.write_bytes(sound)


def test_files_of_two_artefacts_do_not_load_together(saved: Path, tmp_path: Path) -> None:
    artefact(projection=Projection.orthogonal(384, seed=1)).save(tmp_path / "other")
    (tmp_path / "other" / TENSORS_FILE).replace(saved / TENSORS_FILE)
    with pytest.raises(ArtefactError, match="that of another artefact"):
        Artefact.load(saved)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 4}, "expected format version 1 to 3, found 4"),
        ({"format_version": 2}, "changed after it was saved"),
        ({"kind": "oracle"}, "expected one of ensemble, gbm, linear, loglinear, ziln"),
        ({"kind": "ziln", "transforms": []}, r"known names and types, found others"),
        ({"format_version": "one"}, "damaged"),
        ({"profile_width": 32}, "expected a profile of width 64, found 32"),
        ({"features": ["views_1h"]}, "features: expected 1 transforms, means and scales, found 3, 3 and 3"),
        ({"features": ["spend_30d", "views_1h", "conversion_30d"]}, "changed after it was saved"),
        ({"transforms": ["cube"] * 3}, "damaged"),
        ({"tier_bounds": [50.0, 95.0, 80.0]}, "rising"),
        ({"categories": ["books", "books"]}, "2 names, 1 of them different"),
        ({"categories": [f"c{i}" for i in range(257)]}, "at most 256"),
        ({"seed": None}, "damaged"),
        ({"unknown": 1}, "damaged"),
        ({"data": "other shoppers"}, "changed after it was saved"),
        ({"scorer": "2026-11-23-000000"}, "expected the content of scorer 2026-11-23-000000"),
    ],
)
def test_a_document_that_describes_no_such_artefact_is_refused(saved: Path, change: dict, message: str) -> None:
    rewrite(saved, lambda document: document.update(change))
    with pytest.raises(ArtefactError, match=message):
        Artefact.load(saved)


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("weights", np.array([1.0, np.nan, 2.0]), "weights: expected finite"),
        ("intercept", np.array([np.inf]), "intercept: expected a finite"),
        ("intercept", np.array([1.0, 2.0]), "intercept"),
        ("means", np.zeros(4), "features: expected 3"),
        ("scales", np.zeros(3), "positive finite scales"),
        ("weights", np.zeros(2), "weights: expected one for each of 3"),
        ("weights", np.zeros(3, dtype=np.float32), r"known names and types, found others \(weights\)"),
        ("profile_weights", np.zeros(32), "profile weights: expected 64"),
        ("reference", np.array([2.0, 1.0]), "sorted"),
        ("calibration_y", np.zeros(3), "as many x as y"),
        ("projection", np.zeros((32, 384), dtype=np.float32), "projection: expected a matrix"),
        ("projection", np.full((64, 384), np.nan, dtype=np.float32), "projection: expected finite"),
        ("surplus", np.zeros(1), r"found others \(surplus\)"),
        ("drift_surplus", np.zeros(1), "drift_edges: expected this tensor"),
    ],
)
def test_tensors_that_make_no_scorer_are_refused(saved: Path, name: str, tensor: np.ndarray, message: str) -> None:
    rewrite_tensors(saved, lambda tensors: tensors.update({name: tensor}))
    with pytest.raises(ArtefactError, match=message):
        Artefact.load(saved)


def test_a_missing_tensor_is_named(saved: Path) -> None:
    rewrite_tensors(saved, lambda tensors: tensors.pop("reference"))
    with pytest.raises(ArtefactError, match=r"found others \(reference\)"):
        Artefact.load(saved)


@pytest.mark.parametrize("metrics", [{"mae": np.nan}, {"by_fold": {"0": np.inf}}])
def test_a_metric_that_is_not_finite_is_refused(metrics: dict) -> None:
    with pytest.raises(ArtefactError, match="metrics: expected finite numbers"):
        replace(artefact(), metrics=metrics)


@pytest.mark.parametrize(("written", "version"), [("format_1", "2026-11-23-b786e6"), ("format_2", "2026-11-23-fe18a1")])
def test_a_linear_artefact_of_an_earlier_release_scores_as_it_did_there(
    written: str, version: str, tmp_path: Path
) -> None:
    loaded = Artefact.load(Path(__file__).parent / "written_before" / written)
    assert loaded.version == version
    assert (loaded.drift is not None) == (written == "format_2")
    found = loaded.scorer.predict([[3, 12.5, None], [0, 0.0, 0.5]], np.eye(WIDTH, dtype=np.float32)[:2])
    assert found.prediction.tolist() == pytest.approx([-0.5469266607162377, 5.286657883188016], rel=1e-12)
    assert found.expected_spend.tolist() == pytest.approx([1.3592200178512868, 40.0], rel=1e-12)
    assert found.score.tolist() == [20.0, 100.0]
    loaded.save(tmp_path)
    for name in (TENSORS_FILE, DOCUMENT_FILE):
        assert (tmp_path / name).read_bytes() == (
            Path(__file__).parent / "written_before" / written / name
        ).read_bytes()
