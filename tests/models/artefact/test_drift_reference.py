"""The drift reference and the population stability index."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.artefact.drift_reference import DriftReference, psi
from models.exceptions import ArtefactError, InvalidInputError

NAMES = ("views_1h", "mean_rating_30d")


def rows(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Counts of which most are 0, ratings of which a third is null, and predictions."""
    rng = np.random.default_rng(seed)
    values = np.column_stack([rng.poisson(0.3, count).astype(float), rng.uniform(1, 5, count)])
    values[rng.random(count) < 1 / 3, 1] = np.nan
    return values, rng.normal(3.0, 1.0, count)


def drift_of(reference: DriftReference, values: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    return reference.drift(reference.bins(values, predictions))


def shares(*, of: int) -> st.SearchStrategy[np.ndarray]:
    counts = st.lists(st.integers(0, 50), min_size=of, max_size=of).filter(any)
    return counts.map(lambda found: np.array(found) / sum(found))


def test_the_index_is_that_of_a_computation_by_hand():
    # 11 bins in two of which there is anything; each share is smoothed by 1e-4 of 1.0011.
    reference, live = [0.8, 0.2, *[0.0] * 9], [0.5, 0.5, *[0.0] * 9]
    a, b, c = (0.8 + 1e-4) / 1.0011, (0.2 + 1e-4) / 1.0011, (0.5 + 1e-4) / 1.0011
    expected = (c - a) * math.log(c / a) + (c - b) * math.log(c / b)
    assert psi(reference, live) == pytest.approx(expected, rel=1e-12)
    assert expected == pytest.approx(0.4156, abs=5e-4), "0.3 x ln(1.6) + 0.3 x ln(2.5), but for the smoothing"


@given(shares(of=11), shares(of=11), st.permutations(range(11)))
def test_the_index_is_a_symmetric_divergence(one, other, order):
    index = float(psi(one, other))
    assert math.isfinite(index)
    assert index >= 0
    assert psi(one, one) == 0
    assert (index > 0) == bool((one != other).any())
    assert psi(other, one) == pytest.approx(index, rel=1e-9)
    assert psi(one[order], other[order]) == pytest.approx(index, rel=1e-9)


def test_every_training_row_falls_into_a_bin_and_deciles_are_even():
    values, predictions = rows(1000)
    reference = DriftReference.fit(NAMES, values, predictions)
    np.testing.assert_allclose(reference.shares.sum(axis=1), 1)
    np.testing.assert_allclose(reference.shares[-1], [0.1] * 10 + [0], atol=1e-9)
    assert reference.shares[0, 0] == (values[:, 0] == 0).mean(), "equal deciles: all the zeros share the lowest bin"
    assert reference.shares[1, -1] == np.isnan(values[:, 1]).mean()


def test_rows_of_the_same_population_do_not_drift_and_moved_ones_do():
    reference = DriftReference.fit(NAMES, *rows(20_000))
    values, predictions = rows(5_000, seed=1)
    assert max(drift_of(reference, values, predictions).values()) < 0.02
    moved = drift_of(reference, values + np.array([0, 0.5]), predictions - 1.0)
    assert moved["views_1h"] < 0.02
    assert moved["mean_rating_30d"] > 0.1
    assert moved["prediction"] > 0.25
    values[:, 1] = np.nan
    assert drift_of(reference, values, predictions)["mean_rating_30d"] > 0.25, "nulls have a bin of their own"


def test_the_training_rows_themselves_have_no_drift_in_whatever_order():
    values, predictions = rows(500)
    reference = DriftReference.fit(NAMES, values, predictions)
    order = np.random.default_rng(0).permutation(500)
    assert drift_of(reference, values[order], predictions[order]) == dict.fromkeys((*NAMES, "prediction"), 0.0)


def test_a_feature_that_was_always_null_or_always_the_same_drifts_when_it_no_longer_is():
    values, predictions = rows(500)
    values[:, 0], values[:, 1] = 7.0, np.nan
    reference = DriftReference.fit(NAMES, values, predictions)
    live = np.tile([8.0, 3.0], (500, 1))
    found = drift_of(reference, live, predictions)
    assert min(found[name] for name in NAMES) > 1


def test_a_reference_survives_its_tensors():
    reference = DriftReference.fit(NAMES, *rows(300))
    tensors = reference.tensors()
    assert all(name.startswith("drift_") for name in tensors)
    again = DriftReference.of(NAMES, tensors)
    np.testing.assert_array_equal(again.edges, reference.edges)
    np.testing.assert_array_equal(again.shares, reference.shares)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"drift_edges": np.zeros((3, 8))}, "drift edges"),
        ({"drift_edges": np.tile(np.arange(9.0)[::-1], (3, 1))}, "not to fall"),
        ({"drift_edges": np.full((3, 9), np.nan)}, "drift edges"),
        ({"drift_shares": np.zeros((3, 11))}, "sum to 1"),
    ],
)
def test_tensors_that_are_no_reference_are_refused(change, said):
    tensors = DriftReference.fit(NAMES, *rows(300)).tensors()
    with pytest.raises(ArtefactError, match=said):
        DriftReference.of(NAMES, tensors | change)
    with pytest.raises(ArtefactError, match="found none"):
        DriftReference.of(NAMES, {name: tensors[name] for name in tensors.keys() - change.keys()})


def test_rows_that_do_not_fit_are_refused():
    values, predictions = rows(10)
    reference = DriftReference.fit(NAMES, values, predictions)
    for wrong in (values[:, :1], values[:5]):
        with pytest.raises(InvalidInputError, match="expected"):
            reference.bins(wrong, predictions)
    for empty in ((values[:0], predictions[:0]), (values, predictions * np.nan), (values + np.inf, predictions)):
        with pytest.raises(InvalidInputError, match="finite rows"):
            DriftReference.fit(NAMES, *empty)
