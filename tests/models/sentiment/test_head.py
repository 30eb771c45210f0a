"""The head of polarity: bounded, the same for a text in any company, and of one encoder alone."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.exceptions import ArtefactError, InvalidInputError
from models.sentiment.head import PolarityHead

WIDTH = 12


def head(**changes: object) -> PolarityHead:
    parts: dict[str, object] = {
        "weights": np.random.default_rng(3).normal(size=WIDTH),
        "intercept": 0.25,
        "slope": 0.8,
        "offset": -0.1,
        "encoder_name": "mini",
        "encoder": "mini@0123456789ab",
    }
    return PolarityHead(**{**parts, **changes})  # type: ignore[arg-type]


embeddings = arrays(np.float32, (7, WIDTH), elements=st.floats(-1e6, 1e6, width=32))


@given(embeddings)
def test_polarity_is_two_p_less_one_of_the_calibrated_logit(given_embeddings: np.ndarray) -> None:
    told = head()
    logits = given_embeddings.astype(np.float64) @ told.weights + told.intercept
    with np.errstate(over="ignore"):
        expected = 2 / (1 + np.exp(-(told.slope * logits + told.offset))) - 1
    found = told.polarity(given_embeddings)
    assert found.dtype == np.float64
    assert found == pytest.approx(expected, abs=1e-12)
    assert (np.abs(found) <= 1).all()
    assert told.probability(given_embeddings) == pytest.approx((found + 1) / 2)


@given(embeddings, st.permutations(range(7)))
def test_a_text_has_one_polarity_whatever_it_is_read_with(given_embeddings: np.ndarray, order: list[int]) -> None:
    alone = np.concatenate([head().polarity(row[None]) for row in given_embeddings])
    together = head().polarity(given_embeddings[order])
    assert together == pytest.approx(alone[order], abs=1e-6)


@given(st.floats(0, 50), st.floats(0.01, 50))
def test_more_of_what_praises_is_more_praise(least: float, more: float) -> None:
    weights = np.zeros(WIDTH)
    weights[4] = 1.0
    texts = np.zeros((2, WIDTH), np.float32)
    texts[:, 4] = least, least + more
    lower, higher = head(weights=weights).polarity(texts)
    assert lower <= higher


@pytest.mark.parametrize(
    "changes",
    [
        {"weights": np.zeros(WIDTH)},
        {"intercept": 0.26},
        {"slope": 0.81},
        {"offset": -0.11},
        {"encoder": "mini@0123456789ac"},
    ],
)
def test_whatever_changes_a_polarity_changes_the_identity(changes: dict[str, object]) -> None:
    assert head(**changes).identity != head().identity


def test_the_same_head_has_the_same_identity() -> None:
    assert head().identity == replace(head()).identity
    assert head().identity.startswith("polarity-mini@")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": np.zeros((2, WIDTH))}, "weights of shape"),
        ({"weights": np.zeros(0)}, "weights of shape"),
        ({"weights": np.full(WIDTH, np.nan)}, "finite"),
        ({"offset": np.inf}, "finite"),
        ({"slope": 0.0}, "rises"),
        ({"slope": -1.0}, "rises"),
    ],
)
def test_numbers_that_are_no_head_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ArtefactError, match=message):
        head(**changes)


@pytest.mark.parametrize("shape", [(WIDTH,), (2, WIDTH + 1), (0, 3)])
def test_embeddings_of_another_width_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInputError, match="expected shape"):
        head().polarity(np.zeros(shape, np.float32))


def test_no_text_has_no_polarity() -> None:
    assert head().polarity(np.zeros((0, WIDTH), np.float32)).shape == (0,)
