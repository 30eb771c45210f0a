"""What one order adds to another, with intervals of the users."""

import numpy as np
import pytest

from models.exceptions import InvalidInputError
from models.measures.bootstrap import resampled_rows
from models.measures.groups import compare_groups
from models.measures.lift import order_of, range_ids
from models.measures.spend import concordance, spearman


def test_values_are_the_measures_and_differences_are_to_the_first() -> None:
    rng = np.random.default_rng(0)
    actual = rng.normal(size=200)
    weak, strong = actual + 3 * rng.normal(size=200), actual + rng.normal(size=200)
    alone, against = order_of(actual, {"weak": weak, "strong": strong}, draws=200, seed=1)
    assert alone["spearman"]["weak"].value == spearman(actual, weak)
    assert alone["concordance"]["strong"].value == concordance(actual, strong)
    gap = against["spearman"]["strong"]
    assert list(against["spearman"]) == ["strong"]
    assert gap.value == spearman(actual, strong) - spearman(actual, weak)
    assert 0 < gap.low < gap.value < gap.high
    assert order_of(actual, {"weak": weak, "strong": strong}, draws=200, seed=1)[1] == against


def test_an_order_adds_nothing_to_itself() -> None:
    actual = np.arange(50.0)
    _, against = order_of(actual, {"a": actual % 7, "b": actual % 7}, draws=20, seed=0)
    assert against["spearman"]["b"] == (0.0, 0.0, 0.0)


def test_there_is_no_order_among_equals() -> None:
    with pytest.raises(InvalidInputError):
        order_of(np.ones(50), {"a": np.arange(50.0)}, draws=5, seed=0)


def compared(groups: list[str], actual: np.ndarray, predicted: np.ndarray) -> dict:
    resamplings = resampled_rows(range_ids(len(groups)), draws=50, seed=0)
    return compare_groups(groups, actual, predicted, predicted >= 2 / 3, resamplings)


def test_groups_told_apart_wrongly_are_looked_into_and_small_ones_are_not_compared() -> None:
    rank = (np.arange(100) + 0.5) / 100
    told = np.concatenate([rank / 2, (1 + rank) / 2, rank[:5]])
    found = compared(["low"] * 100 + ["high"] * 100 + ["few"] * 5, np.concatenate([rank, rank, rank[:5]]), told)
    low, high = found["groups"]["low"], found["groups"]["high"]
    assert (low["users"], high["users"], found["groups"]["few"]["compared"]) == (100, 100, False)
    assert low["gap"] == pytest.approx(-0.25)
    assert low["mean_actual"] == high["mean_actual"] == pytest.approx(0.5)
    assert low["spearman"] == pytest.approx(1.0)
    assert (low["selection_rate"], low["ratio"]) == (0.0, 0.0)
    kinds = {(warning["kind"], warning["group"]) for warning in found["warnings"]}
    assert kinds == {("selection_rate", "low"), ("gap", "low"), ("gap", "high"), ("small_group", "few")}


def test_groups_told_rightly_raise_no_warning() -> None:
    rank = (np.arange(200) + 0.5) / 200
    found = compared(["a", "b"] * 100, rank, rank)
    assert found["warnings"] == []
    assert found["groups"]["a"]["actual_rate"] == found["groups"]["a"]["selection_rate"]


def test_a_column_of_many_values_is_no_column_of_groups() -> None:
    rank = (np.arange(200) + 0.5) / 200
    with pytest.raises(InvalidInputError, match="expected 1 to 40 groups"):
        compared(range_ids(200), rank, rank)
