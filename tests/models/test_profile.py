import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.exceptions import ArtefactError, InvalidInputError
from models.profile import WIDTH, Projection, encoder_identity


def gaussian(rows: int, dimension: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, dimension))


def identity(**changes: object) -> str:
    parts: dict[str, object] = {
        "name": "org/mini-encoder",
        "weights_digest": "w",
        "cleaning_fingerprint": "c",
        "noise_fingerprint": "n",
        "projection": Projection.orthogonal(96),
    }
    return encoder_identity(**{**parts, **changes})  # type: ignore[arg-type]


@given(dimension=st.integers(WIDTH, 200), seed=st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_rows_of_an_orthogonal_projection_are_orthonormal(dimension: int, seed: int) -> None:
    matrix = Projection.orthogonal(dimension, seed).matrix.astype(np.float64)
    assert matrix.shape == (WIDTH, dimension)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(WIDTH), atol=1e-6)


def test_an_orthogonal_projection_is_the_same_for_the_same_seed_and_no_other() -> None:
    first = Projection.orthogonal(384, seed=7).matrix
    assert first.dtype == np.float32
    assert first.tobytes() == Projection.orthogonal(384, seed=7).matrix.tobytes()
    assert not np.allclose(first, Projection.orthogonal(384, seed=8).matrix)


@pytest.mark.parametrize("dimension", [1, 8, 63])
def test_an_embedding_narrower_than_the_profile_keeps_its_lengths_and_angles(dimension: int) -> None:
    embeddings = gaussian(5, dimension)
    for projection in (Projection.orthogonal(dimension), Projection.fit(gaussian(100, dimension))):
        projected = projection.apply(embeddings)
        np.testing.assert_allclose(projected @ projected.T, embeddings @ embeddings.T, rtol=1e-5, atol=1e-5)


def test_a_fitted_projection_spans_the_leading_singular_directions() -> None:
    embeddings = gaussian(300, 100) * np.linspace(3, 0.1, 100)
    rows = np.linalg.svd(embeddings, full_matrices=False)[2][:WIDTH]
    matrix = Projection.fit(embeddings).matrix.astype(np.float64)
    np.testing.assert_allclose(np.abs((matrix * rows).sum(axis=1)), 1.0, atol=1e-6)
    assert (np.take_along_axis(matrix, np.abs(matrix).argmax(axis=1)[:, None], axis=1) > 0).all()


def test_a_fitted_projection_ignores_the_order_of_the_embeddings() -> None:
    embeddings = gaussian(300, 100) * np.linspace(3, 0.1, 100)
    np.testing.assert_allclose(Projection.fit(embeddings).matrix, Projection.fit(embeddings[::-1]).matrix, atol=1e-6)


@pytest.mark.parametrize("count", [0, 1, 10])
def test_few_embeddings_are_kept_whole_and_completed_by_orthonormal_rows(count: int) -> None:
    embeddings = gaussian(count, 128)
    projection = Projection.fit(embeddings)
    matrix = projection.matrix.astype(np.float64)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(WIDTH), atol=1e-6)
    lengths = np.linalg.norm(projection.apply(embeddings), axis=1)
    np.testing.assert_allclose(lengths, np.linalg.norm(embeddings, axis=1), rtol=1e-5)
    assert projection.matrix.tobytes() == Projection.fit(embeddings).matrix.tobytes()


def test_projecting_is_the_matrix_product_in_double_precision() -> None:
    projection, embeddings = Projection.orthogonal(80), gaussian(3, 80).astype(np.float32)
    projected = projection.apply(embeddings)
    assert projected.dtype == np.float64
    expected = [[np.dot(row.astype(np.float64), e.astype(np.float64)) for row in projection.matrix] for e in embeddings]
    np.testing.assert_allclose(projected, expected, rtol=1e-12, atol=1e-14)


def test_embeddings_of_another_width_are_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"expected shape \[n, 80\], found \[2, 81\]"):
        Projection.orthogonal(80).apply(np.zeros((2, 81)))


@pytest.mark.parametrize("matrix", [np.zeros((63, 80)), np.zeros(64), np.full((64, 80), np.nan)])
def test_a_matrix_that_is_no_projection_is_refused(matrix: np.ndarray) -> None:
    with pytest.raises(ArtefactError, match="projection: expected"):
        Projection(matrix)


@pytest.mark.parametrize("embeddings", [np.zeros(5), np.full((2, 80), np.inf)])
def test_embeddings_that_cannot_be_fitted_are_refused(embeddings: np.ndarray) -> None:
    with pytest.raises(InvalidInputError, match="embeddings: expected finite numbers"):
        Projection.fit(embeddings)


def test_a_projection_of_no_dimension_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="expected at least 1, found 0"):
        Projection.orthogonal(0)


@pytest.mark.parametrize("name", ["mini", "org/mini", "some/folder/mini/", r"some\folder\mini"])
def test_an_identity_shows_the_last_part_of_the_name_and_hashes_the_rest(name: str) -> None:
    shown, digits = identity(name=name).split("@")
    assert shown == "mini"
    assert len(digits) == 12
    assert set(digits) <= set("0123456789abcdef")
    assert digits == identity().split("@")[1]


@pytest.mark.parametrize(
    "change",
    [
        {"weights_digest": "other"},
        {"cleaning_fingerprint": "other"},
        {"noise_fingerprint": "other"},
        {"projection": Projection.orthogonal(96, seed=1)},
        {"weights_digest": "wc", "cleaning_fingerprint": ""},
        {"cleaning_fingerprint": "n", "noise_fingerprint": "c"},
    ],
)
def test_an_identity_changes_with_whatever_changes_a_vector(change: dict[str, object]) -> None:
    assert identity(**change) != identity()


@given(dimension=st.integers(2, 120), titles=st.integers(1, 90), known=st.integers(1, 70), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_rows_led_by_what_is_known_are_orthogonal_and_none_is_lost(
    dimension: int, titles: int, known: int, seed: int
) -> None:
    weights = np.random.default_rng(seed).integers(1, 3, titles)
    matrix = Projection.towards(gaussian(titles, dimension, seed), gaussian(titles, known, seed + 1), weights).matrix
    products = matrix.astype(np.float64) @ matrix.T
    lengths = np.sqrt(np.diagonal(products))
    np.testing.assert_allclose(products, np.diag(lengths**2), atol=1e-6)
    assert lengths[0] == pytest.approx(1.0)
    assert (np.diff(lengths) < 1e-6).all()
    assert np.count_nonzero(lengths) == min(dimension, WIDTH)


def test_a_projection_keeps_the_direction_that_tells_what_is_known_however_weak_it_is() -> None:
    embeddings = gaussian(500, 200)
    embeddings[:, 0] *= 0.1
    projection = Projection.towards(embeddings, embeddings[:, :1] * 10, np.ones(500))
    assert np.linalg.norm(projection.matrix[:, 0]) > 0.99
    assert np.linalg.norm(Projection.fit(embeddings).matrix[:, 0]) < 0.2


def test_a_text_without_weight_leads_no_row() -> None:
    embeddings, known = gaussian(80, 70), gaussian(80, 3)
    weights = np.arange(80) < 40
    changed = np.where(weights[:, None], embeddings, 7.0)
    np.testing.assert_array_equal(
        Projection.towards(embeddings, known, weights).matrix, Projection.towards(changed, known, weights).matrix
    )


@pytest.mark.parametrize(
    ("embeddings", "known", "weights"),
    [
        (np.ones((3, 0)), np.ones((3, 1)), np.ones(3)),
        (np.ones((3, 2)), np.ones((2, 1)), np.ones(3)),
        (np.ones((3, 2)), np.ones((3, 1)), -np.ones(3)),
        (np.full((3, 2), np.nan), np.ones((3, 1)), np.ones(3)),
        (np.ones(3), np.ones((3, 1)), np.ones(3)),
    ],
)
def test_what_leads_nowhere_is_refused(embeddings: np.ndarray, known: np.ndarray, weights: np.ndarray) -> None:
    with pytest.raises(InvalidInputError, match="check them"):
        Projection.towards(embeddings, known, weights)
