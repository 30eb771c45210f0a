from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import models
from models.artefact.artefact import Artefact
from models.exceptions import ArtefactError, InvalidInputError
from models.scoring.columns import Columns
from models.scoring.scorer import Predictions

SHIPPED = Artefact.load(Path(models.__file__).parent / "artefacts" / "default")
NAMES = SHIPPED.scorer.names
ROWS = 40


def shoppers() -> np.ndarray:
    """Rows of the shipped artefact's features; a fifth of the values is null."""
    rng = np.random.default_rng(2)
    values = rng.gamma(1, 5, size=(ROWS, len(NAMES)))
    values[rng.random(values.shape) < 0.2] = np.nan
    return values


def scored(artefact: Artefact, rows: object) -> Predictions:
    return artefact.scorer.predict(rows, None, use_profile=False)  # type: ignore[arg-type]


@given(place=st.integers(0, len(NAMES)), filler=st.sampled_from([None, 0, -3.5, 1e300, float("inf")]))
@settings(max_examples=30, deadline=None)
def test_the_shipped_artefact_scores_the_same_wherever_one_more_feature_stands(
    place: int, filler: float | None
) -> None:
    rows = [tuple(None if np.isnan(value) else value for value in row) for row in shoppers().tolist()]
    served = SHIPPED.serving((*NAMES[:place], "new_30d", *NAMES[place:]), None, SHIPPED.width)
    found = scored(served, [(*row[:place], filler, *row[place:]) for row in rows])
    expected = scored(SHIPPED, rows)
    assert found.prediction.tolist() == expected.prediction.tolist()
    assert found.names == (*NAMES, "profile_vector")
    assert found.contributions.tolist() == expected.contributions.tolist()
    assert [found.reasons(i) for i in range(ROWS)] == [expected.reasons(i) for i in range(ROWS)]


def test_features_in_another_order_are_found_by_name() -> None:
    order = np.random.default_rng(6).permutation(len(NAMES))
    served = SHIPPED.serving([NAMES[position] for position in order], None, SHIPPED.width)
    rows = shoppers()
    assert scored(served, rows[:, order]).prediction.tolist() == scored(SHIPPED, rows).prediction.tolist()


def test_rows_of_exactly_these_features_are_not_copied() -> None:
    rows = shoppers()
    assert np.shares_memory(Columns.of(NAMES, NAMES, "the scorer").pick(rows), rows)


def test_what_is_taken_out_of_wider_rows_is_dense() -> None:
    picked = Columns.of(("c", "a"), ("a", "b", "c"), "the scorer").pick([[1, None, 3.5], [None, 5, 6]])
    np.testing.assert_array_equal(picked, [[3.5, 1.0], [6.0, np.nan]])
    assert picked.flags.c_contiguous


def test_rows_of_another_length_and_features_that_are_missing_are_refused() -> None:
    columns = Columns.of(("c", "a"), ("a", "b", "c"), "the scorer")
    with pytest.raises(InvalidInputError, match="expected 3 numbers"):
        columns.pick([[1, 2]])
    expected = "features: the scorer expects 'd', found 3 features without it; "
    with pytest.raises(ArtefactError, match=f"{expected}.*, or run the release that trained it$"):
        Columns.of(("a", "d"), ("a", "b", "c"), "the scorer")
