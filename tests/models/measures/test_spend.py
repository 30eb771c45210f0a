from collections.abc import Callable
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from models.exceptions import InvalidInputError
from models.measures import spend

Pairs = list[tuple[int, int]]
# Small whole numbers, so that ties abound on either side.
pairs = st.lists(st.tuples(st.integers(0, 8), st.integers(-4, 4)), min_size=2, max_size=60)
METRICS = (
    spend.concordance,
    spend.normalized_gini,
    spend.top_decile_share,
    spend.calibration_error,
    spend.spearman,
    spend.mae,
    spend.rmse,
)


def columns(data: Pairs) -> tuple[list[int], list[int]]:
    return [a for a, _ in data], [p for _, p in data]


def varied(data: Pairs) -> tuple[list[int], list[int]]:
    assume(len({a for a, _ in data}) > 1)
    return columns(data)


def gini_area(actual: list[int], prediction: list[int]) -> float:
    """Twice the area between the equal line and the curve of spend against shoppers, poorest first."""
    share = np.concatenate([[0], np.cumsum([a for _, a in sorted(zip(prediction, actual, strict=True))])])
    return float(1 - (share[1:] + share[:-1]).sum() / share[-1] / len(actual))


@given(pairs)
@settings(max_examples=200, deadline=None)
def test_concordance_is_the_share_of_pairs_in_order(data: Pairs) -> None:
    varied(data)
    comparable = [(a, b) for a, b in combinations(data, 2) if a[0] != b[0]]
    right = sum(0.5 if a[1] == b[1] else (a[0] < b[0]) == (a[1] < b[1]) for a, b in comparable)
    assert spend.concordance(*columns(data)) == pytest.approx(right / len(comparable), rel=1e-12)


@given(st.lists(st.integers(0, 30), min_size=3, max_size=30), st.randoms())
@settings(max_examples=100, deadline=None)
def test_the_gini_index_of_an_order_without_ties_is_the_area_under_its_curve(actual: list[int], random) -> None:
    assume(len(set(actual)) > 1)
    prediction = random.sample(range(100), len(actual))
    expected = gini_area(actual, prediction) / gini_area(actual, actual)
    assert spend.normalized_gini(actual, prediction) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("metric", [spend.normalized_gini, spend.top_decile_share])
def test_a_tie_counts_as_the_mean_of_every_order_it_could_be_broken_in(metric: Callable[..., float]) -> None:
    actual, ties = [9, 1, 4, 0], [1, 1, 1, 0]
    broken = [metric(actual, [*order, 0]) for order in permutations([1.0, 1.1, 1.2])]
    assert metric(actual, ties) == pytest.approx(np.mean(broken), rel=1e-12)


@given(pairs)
@settings(max_examples=100, deadline=None)
def test_the_top_decile_is_what_the_highest_tenth_spent(data: Pairs) -> None:
    actual, prediction = varied(data)
    places = -(-len(data) // 10)
    cut = sorted(prediction, reverse=True)[places - 1]
    above = [a for a, p in data if p > cut]
    at_cut = [a for a, p in data if p == cut]
    expected = (sum(above) + (places - len(above)) * sum(at_cut) / len(at_cut)) / sum(actual)
    assert spend.top_decile_share(actual, prediction) == pytest.approx(expected, rel=1e-12)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60), st.randoms())
@settings(max_examples=100, deadline=None)
def test_the_calibration_error_averages_the_gaps_of_ten_runs(actual: list[int], random) -> None:
    assume(sum(actual) > 0)
    prediction = random.sample(range(100), len(actual))
    ordered = sorted(zip(prediction, actual, strict=True))
    size, longer = divmod(len(actual), min(10, len(actual)))
    gaps, start = [], 0
    while start < len(ordered):
        run = ordered[start : start + size + (len(gaps) < longer)]
        gaps.append(abs(sum(p for p, _ in run) - sum(a for _, a in run)) / len(run))
        start += len(run)
    expected = sum(gaps) / len(gaps) / (sum(actual) / len(actual))
    assert spend.calibration_error(actual, prediction) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(pairs)
@settings(max_examples=100, deadline=None)
def test_spearman_is_that_of_scipy(data: Pairs) -> None:
    actual, prediction = varied(data)
    assume(len(set(prediction)) > 1)
    expected = spearmanr(actual, prediction).statistic
    assert spend.spearman(actual, prediction) == pytest.approx(expected, abs=1e-12)


@given(pairs)
@settings(max_examples=50, deadline=None)
def test_errors_are_what_they_are_by_hand(data: Pairs) -> None:
    actual, prediction = columns(data)
    gaps = [a - p for a, p in data]
    assert spend.mae(actual, prediction) == pytest.approx(sum(map(abs, gaps)) / len(gaps))
    assert spend.rmse(actual, prediction) == pytest.approx((sum(g * g for g in gaps) / len(gaps)) ** 0.5)


@pytest.mark.parametrize("metric", METRICS)
@given(data=pairs, random=st.randoms())
@settings(max_examples=30, deadline=None)
def test_no_metric_depends_on_the_order_of_the_rows(metric: Callable[..., float], data: Pairs, random) -> None:
    varied(data)
    shuffled = random.sample(data, len(data))
    assert metric(*columns(shuffled)) == pytest.approx(metric(*columns(data)), rel=1e-9, abs=1e-9)


@given(pairs)
@settings(max_examples=50, deadline=None)
def test_metrics_of_order_ignore_the_unit_of_the_prediction(data: Pairs) -> None:
    actual, prediction = varied(data)
    stretched = np.exp(np.array(prediction) / 3)
    for metric in (
        spend.concordance,
        spend.normalized_gini,
        spend.top_decile_share,
        spend.spearman,
    ):
        assert metric(actual, stretched) == pytest.approx(metric(actual, prediction), abs=1e-12)


def test_known_values_of_a_perfect_a_reversed_and_an_empty_order() -> None:
    actual = np.arange(20.0)
    expected = {
        spend.concordance: (1.0, 0.0, 0.5),
        spend.normalized_gini: (1.0, -1.0, 0.0),
        spend.spearman: (1.0, -1.0, 0.0),
        spend.top_decile_share: (37 / 190, 1 / 190, 0.1),
    }
    for metric, values in expected.items():
        found = (metric(actual, actual), metric(actual, -actual), metric(actual, np.ones(20)))
        assert found == pytest.approx(values, abs=1e-12)
    assert spend.calibration_error(actual, actual) == 0.0
    assert spend.calibration_error(actual, np.full(20, 9.5)) == 0.0
    assert spend.calibration_error(actual, 2 * actual) == pytest.approx(1.0)


def test_concordance_of_many_rows_is_exact() -> None:
    rng = np.random.default_rng(0)
    actual, prediction = rng.integers(0, 50, 3001), rng.normal(size=3001).round(1)
    apart = actual[:, None] < actual
    right = (apart & (prediction[:, None] < prediction)).sum()
    tied = (apart & (prediction[:, None] == prediction)).sum()
    assert spend.concordance(actual, prediction) == (right + 0.5 * tied) / apart.sum()


def test_the_summary_measures_order_in_logarithms_and_money_in_money() -> None:
    actual = [0.0, 5.0, 20.0, 3.0]
    report = spend.summary(actual, np.log1p(actual), [1.0, 6.0, 21.0, 4.0])
    assert report["rmse_log1p"] == 0.0
    assert report["mae"] == report["rmse"] == 1.0
    assert report["calibration_error"] == pytest.approx(1 / 7)
    assert report["concordance"] == report["spearman"] == 1.0


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("actual", "prediction"),
    [([], []), ([1.0, 2.0], [1.0]), ([[1.0, 2.0]], [[1.0, 2.0]]), ([1.0, np.nan], [1.0, 2.0]), ([1, 2], [1, np.inf])],
)
def test_what_cannot_be_measured_is_refused(metric: Callable[..., float], actual: list, prediction: list) -> None:
    with pytest.raises(InvalidInputError, match="evaluation: expected"):
        metric(actual, prediction)


@pytest.mark.parametrize("metric", METRICS[:4])
def test_spend_without_any_difference_has_no_order_and_none_has_no_scale(metric: Callable[..., float]) -> None:
    with pytest.raises(InvalidInputError, match="actual: expected"):
        metric([0.0, 0.0], [1.0, 2.0])


@given(pairs)
@settings(max_examples=100, deadline=None)
def test_the_deciles_are_those_that_the_calibration_error_averages(data: Pairs) -> None:
    actual, prediction = columns(data)
    assume(sum(actual) > 0)
    deciles = spend.calibration_deciles(actual, prediction)
    assert sum(rows for rows, _, _ in deciles) == len(data)
    assert sum(rows * spent for rows, _, spent in deciles) == pytest.approx(sum(actual))
    gaps = [abs(expected - spent) for _, expected, spent in deciles]
    error = spend.calibration_error(actual, prediction)
    assert np.mean(gaps) / np.mean(actual) == pytest.approx(error, rel=1e-9, abs=1e-9)


def test_a_decile_is_a_tenth_of_the_rows_in_order_of_prediction() -> None:
    deciles = spend.calibration_deciles(range(20), [value * 2 for value in range(20)])
    assert deciles[0] == (2, 1.0, 0.5)
    assert deciles[-1] == (2, 37.0, 18.5)
    assert len(deciles) == 10
