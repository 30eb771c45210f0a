"""The capacity of a shopper: a share of the population, a band, reasons that sum, and nothing below the evidence."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.exceptions import ArtefactError
from models.profile import WIDTH
from models.scoring.capacity import BANDS, UNKNOWN, VECTORS, CapacityScorer
from models.scoring.kinds.linear import LinearModel
from models.scoring.standardising import Standardiser, Transform

NAMES = (*(f"feature_{i}" for i in range(6)), "lifetime_orders")
RNG = np.random.default_rng(0)
MODEL = LinearModel(
    standardiser=Standardiser(
        names=NAMES, transforms=(Transform.IDENTITY,) * 7, means=RNG.normal(size=7), scales=RNG.random(7) + 0.5
    ),
    weights=RNG.normal(size=7),
    vector_weights=RNG.normal(size=2 * WIDTH),
    intercept=0.25,
    vectors=VECTORS,
)


def scorer(reference: object = (0.1, 0.2, 0.3), least: int = 2, **changes: object) -> CapacityScorer:
    return CapacityScorer(model=MODEL, reference=np.array(reference), least_evidence=least, **changes)  # type: ignore[arg-type]


def rows(count: int, orders: int = 5) -> list[list[float | None]]:
    values = np.random.default_rng(2).normal(size=(count, 6)).tolist()
    return [[*row, orders] for row in values]


def vectors(count: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    return {name: rng.normal(size=(count, WIDTH)).astype(np.float32) for name in VECTORS}


def test_capacity_is_the_share_of_the_reference_that_is_predicted_no_more_and_sets_the_band() -> None:
    predictions = np.array(scorer().predict(rows(301), vectors(301)).prediction, dtype=np.float64)
    found = scorer(np.sort(predictions)).predict(rows(301), vectors(301))
    expected = [100 * float((predictions <= prediction).mean()) for prediction in predictions]
    np.testing.assert_allclose(np.array(found.capacity, dtype=np.float64), expected)
    for capacity, band in zip(expected, found.band, strict=True):
        assert band == BANDS[(capacity >= 33.3) + (capacity >= 66.7)]


def test_nothing_is_said_of_a_user_with_less_than_the_least_evidence() -> None:
    given = [[*row[:-1], orders] for row, orders in zip(rows(4), (2, 1, 0, None), strict=True)]
    found = scorer().predict(given, vectors(4))
    assert found.evidence == [2, 1, 0, 0]
    assert found.band[0] in BANDS
    assert found.band[1:] == [UNKNOWN] * 3
    assert found.capacity[1:] == found.prediction[1:] == [None] * 3
    assert [len(found.reasons(i)) for i in range(4)] == [6, 0, 0, 0]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=6, max_size=6), min_size=1, max_size=8),
    st.booleans(),
)
def test_reasons_sum_to_the_prediction_and_no_row_depends_on_its_neighbours(
    values: list[list[float | None]], with_text: bool
) -> None:
    given = [[*row, 7] for row in values]
    text = vectors(len(given)) if with_text else None
    found = scorer().predict(given, text)
    for i, row in enumerate(given):
        total = found.intercept + sum(value for _, value in found.reasons(i))
        assert total == pytest.approx(found.prediction[i], rel=1e-9, abs=1e-6)
        own = None if text is None else {name: vector[i : i + 1] for name, vector in text.items()}
        assert scorer().predict([row], own).prediction == found.prediction[i : i + 1]


def test_each_vector_is_one_reason_whatever_the_order_they_are_passed_in() -> None:
    text = vectors(1)
    found = scorer().predict(rows(1), dict(reversed(text.items())))
    assert found.names == (*NAMES, *VECTORS)
    for place, name in enumerate(VECTORS):
        weights = MODEL.vector_weights[WIDTH * place : WIDTH * (place + 1)]
        assert found.contributions[0, len(NAMES) + place] == pytest.approx(float(text[name][0] @ weights))


def test_without_vectors_the_estimate_is_that_of_behaviour_alone() -> None:
    zeros = {name: np.zeros((3, WIDTH), np.float32) for name in VECTORS}
    assert scorer().predict(rows(3), None).prediction == scorer().predict(rows(3), zeros).prediction


def test_a_scorer_that_could_not_rank_is_refused() -> None:
    for changes in ({"least": -1}, {"band_bounds": (1.0,)}, {"reference": ()}, {"reference": (2.0, 1.0)}):
        with pytest.raises(ArtefactError):
            scorer(**changes)  # type: ignore[arg-type]
