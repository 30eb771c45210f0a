"""Fitting the head of polarity: it finds what is there, says no more than it knows, and refuses the rest."""

import numpy as np
import pytest

from models.exceptions import InvalidInputError
from models.measures.probability import calibration_error
from models.sentiment.fitting import DECAYS, FOLDS, fit, log_loss

WIDTH = 16


def texts(count: int, *, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of which one direction decides, with some chance, and whether each praises."""
    rng = np.random.default_rng(seed)
    embeddings = rng.normal(size=(count, WIDTH)) * np.linspace(0.1, 3, WIDTH) + 5
    logits = (embeddings - 5) @ np.linspace(-1, 1, WIDTH) / max(noise, 1e-9)
    positive = rng.random(count) < 1 / (1 + np.exp(-np.clip(logits, -500, 500)))
    return embeddings.astype(np.float32), positive


def told(fitted, embeddings: np.ndarray) -> np.ndarray:
    intercept, slope, offset = fitted.calibration
    logits = slope * (embeddings.astype(np.float64) @ fitted.weights + intercept) + offset
    return 1 / (1 + np.exp(-logits))


def test_it_tells_unseen_texts_and_its_probabilities_come_true() -> None:
    embeddings, positive = texts(3000, noise=2.0)
    fitted = fit(embeddings[:1500], positive[:1500], np.arange(1500))
    probability = told(fitted, embeddings[1500:])
    assert ((probability >= 0.5) == positive[1500:]).mean() > 0.75
    assert calibration_error(positive[1500:], probability) < 0.06
    assert fitted.decay in DECAYS


def test_the_calibration_rises_even_where_there_is_little_to_learn() -> None:
    embeddings, positive = texts(400, noise=8.0)
    assert fit(embeddings, positive, np.arange(400)).calibration[1] > 0


def test_the_same_texts_give_the_same_numbers() -> None:
    embeddings, positive = texts(200, noise=2.0)
    first, second = (fit(embeddings, positive, np.arange(200), seed=3) for _ in range(2))
    assert (first.weights == second.weights).all()
    assert (first.calibration == second.calibration).all()


def test_a_column_that_never_varies_is_no_obstacle() -> None:
    embeddings, positive = texts(200, noise=2.0)
    embeddings[:, 3] = 7
    assert np.isfinite(fit(embeddings, positive, np.arange(200)).weights).all()


def test_a_group_is_never_on_both_sides() -> None:
    """What tells a group alone helps nobody: the best penalty is then the greatest."""
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(40), 10)
    names = rng.normal(size=(40, WIDTH))[groups] * 3
    positive = (np.arange(40) % 2 == 0)[groups]
    fitted = fit(names.astype(np.float32), positive, groups)
    assert fitted.decay == DECAYS[-1]


@pytest.mark.parametrize("positive", [np.ones(50, bool), np.zeros(50, bool), np.arange(50) < FOLDS - 1])
def test_too_few_of_a_class_are_refused_in_one_line(positive: np.ndarray) -> None:
    with pytest.raises(InvalidInputError, match="5 items or more that") as refused:
        fit(np.zeros((50, WIDTH), np.float32), positive, np.arange(50))
    assert "\n" not in str(refused.value)


def test_log_loss_of_a_coin_is_log_2_whatever_happens() -> None:
    assert log_loss(np.array([True, False]), np.zeros(2)) == pytest.approx(np.log(2))
    assert log_loss(np.array([True]), np.array([800.0])) == 0.0
