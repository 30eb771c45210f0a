import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.isotonic import IsotonicRegression

from models.exceptions import ArtefactError, InvalidInputError
from models.profile import WIDTH
from models.scoring.calibration import MAXIMUM_KNOTS, Calibration
from models.scoring.kinds.linear import LinearModel
from models.scoring.population import MAXIMUM_REFERENCE, reference_of
from models.scoring.scorer import Scorer
from models.scoring.standardising import Standardiser, Transform

NAMES = ("views_1h", "spend_30d", "conversion_30d", "mean_rating_30d", "tenure_days", "searches_7d", "carts_7d")
TRANSFORMS = {"conversion_30d": Transform.IDENTITY, "mean_rating_30d": Transform.IDENTITY}
ROW = (3, 120.5, 0.25, 4.5, 80.0, 2, None)


def standardiser(names: tuple[str, ...] = NAMES) -> Standardiser:
    return Standardiser(
        names=names,
        transforms=tuple(TRANSFORMS.get(name, Transform.SIGNED_LOG1P) for name in names),
        means=np.linspace(0.5, 1.5, len(names)),
        scales=np.linspace(0.8, 2.0, len(names)),
    )


def scorer(reference: np.ndarray | None = None, **changes: object) -> Scorer:
    rng = np.random.default_rng(3)
    parts: dict[str, object] = {
        "standardiser": standardiser(),
        "weights": rng.normal(size=len(NAMES)),
        "vector_weights": rng.normal(size=WIDTH),
        "intercept": 1.25,
    }
    return Scorer(
        model=LinearModel(**{**parts, **changes}),  # type: ignore[arg-type]
        reference=np.linspace(-3, 6, 1000) if reference is None else reference,
        calibration=Calibration(np.array([0.0, 2.0, 5.0]), np.array([0.0, 10.0, 400.0])),
    )


def constant_scorer(intercept: float, reference: np.ndarray) -> Scorer:
    return scorer(reference, weights=np.zeros(len(NAMES)), vector_weights=np.zeros(WIDTH), intercept=intercept)


def population(n: int, seed: int = 0) -> tuple[list[list[float | None]], np.ndarray]:
    rng = np.random.default_rng(seed)
    values = rng.gamma(1, 5, size=(n, len(NAMES)))
    rows = [[None if rng.random() < 0.2 else value for value in row] for row in values.tolist()]
    profiles = rng.normal(size=(n, WIDTH))
    profiles /= np.linalg.norm(profiles, axis=1, keepdims=True)
    profiles[::4] = 0
    return rows, profiles.astype(np.float32)


def test_the_prediction_is_the_linear_form_written_out() -> None:
    subject, (_, profiles) = scorer(), population(2)
    model, logged = subject.model, {0, 1, 4, 5}
    total = model.intercept
    for j, value in enumerate(ROW[:-1]):
        assert value is not None
        x = np.log1p(value) if j in logged else value
        total += model.weights[j] * (x - model.standardiser.means[j]) / model.standardiser.scales[j]
    total += sum(float(w) * float(p) for w, p in zip(model.vector_weights, profiles[1], strict=True))
    assert subject.predict([ROW], profiles[1:]).prediction[0] == pytest.approx(total, rel=1e-12)


@given(n=st.integers(1, 20), seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_intercept_and_reasons_sum_to_the_prediction(n: int, seed: int) -> None:
    predictions = scorer().predict(*population(n, seed))
    for i in range(n):
        reasons = predictions.reasons(i)
        total = predictions.intercept + sum(contribution for _, contribution in reasons)
        assert total == pytest.approx(predictions.prediction[i], rel=1e-9, abs=1e-12)
        sizes = [abs(contribution) for _, contribution in reasons[:-1]]
        assert len(sizes) == 5
        assert sizes == sorted(sizes, reverse=True)
        assert sizes[-1] >= np.sort(np.abs(predictions.contributions[i]))[-5]
        names = [name for name, _ in reasons]
        assert names[-1] == "other"
        assert len(set(names)) == 6
        assert set(names) <= {*NAMES, "profile_vector", "other"}


def test_the_vector_is_one_reason_with_its_own_sign() -> None:
    vector_weights = np.zeros(WIDTH)
    vector_weights[:2] = (-30.0, -30.0)
    profiles = np.zeros((1, WIDTH), dtype=np.float32)
    profiles[0, :2] = (0.6, 0.8)
    name, contribution = scorer(vector_weights=vector_weights).predict([ROW], profiles).reasons(0)[0]
    assert name == "profile_vector"
    assert contribution == pytest.approx(-42.0, rel=1e-6)


def test_fewer_features_than_reasons_leave_nothing_for_other() -> None:
    subject = scorer(standardiser=standardiser(NAMES[:2]), weights=np.array([1.0, 2.0]))
    reasons = subject.predict([ROW[:2]], np.zeros((1, WIDTH), dtype=np.float32)).reasons(0)
    assert [name for name, _ in reasons] == ["spend_30d", "views_1h", "profile_vector", "other"]
    assert reasons[-1] == ("other", 0.0)


def test_a_null_contributes_nothing() -> None:
    predictions = scorer().predict([[None] * len(NAMES)], np.zeros((1, WIDTH), dtype=np.float32))
    assert predictions.prediction[0] == 1.25
    assert str(predictions.contributions.tolist()) == str([[0.0] * (len(NAMES) + 1)])


def test_a_user_scores_the_same_to_the_last_bit_alone_and_in_a_batch() -> None:
    rows, profiles = population(100)
    subject = scorer()
    together = subject.predict(rows, profiles)
    for i in range(100):
        alone = subject.predict(rows[i : i + 1], profiles[i : i + 1])
        assert alone.prediction[0] == together.prediction[i]
        assert alone.score[0] == together.score[i]
        assert alone.reasons(0) == together.reasons(i)


def test_without_the_profile_only_behaviour_counts() -> None:
    rows, profiles = population(10)
    subject = scorer()
    behaviour = subject.predict(rows, None, use_profile=False)
    assert behaviour.prediction.tolist() == subject.predict(rows, np.zeros_like(profiles)).prediction.tolist()
    assert behaviour.prediction.tolist() == subject.predict(rows, profiles, use_profile=False).prediction.tolist()
    assert not behaviour.contributions[:, -1].any()


def test_the_score_is_the_share_of_the_reference_at_most_the_prediction() -> None:
    rows, profiles = population(300)
    predictions = scorer().predict(rows, profiles).prediction
    scores = scorer(reference_of(predictions)).predict(rows, profiles).score
    assert scores.tolist() == [100.0 * int((predictions <= p).sum()) / 300 for p in predictions]


@pytest.mark.parametrize(
    ("position", "score", "tier"),
    [
        (0.0, 0.0, "low"),
        (1.0, 0.5, "low"),
        (99.0, 49.5, "low"),
        (99.9, 49.5, "low"),
        (100.0, 50.0, "medium"),
        (159.0, 79.5, "medium"),
        (160.0, 80.0, "high"),
        (189.0, 94.5, "high"),
        (190.0, 95.0, "premium"),
        (999.0, 100.0, "premium"),
    ],
)
def test_a_tier_begins_exactly_at_its_bound(position: float, score: float, tier: str) -> None:
    subject = constant_scorer(position, np.arange(1.0, 201.0))
    predictions = subject.predict([ROW], np.zeros((1, WIDTH), dtype=np.float32))
    assert predictions.score.tolist() == [score]
    assert predictions.tier == [tier]


def test_a_rounding_error_does_not_move_a_shopper_below_those_equal_to_him() -> None:
    subject = constant_scorer(np.nextafter(2.0, 0.0), np.array([1.0, 2.0, 2.0, 3.0]))
    assert subject.predict([ROW], np.zeros((1, WIDTH), dtype=np.float32)).score[0] == 75.0


def test_a_great_reference_is_thinned_evenly_between_its_extremes() -> None:
    thinned = reference_of(np.arange(100_000.0)[::-1])
    assert thinned.size == MAXIMUM_REFERENCE
    assert (thinned[0], thinned[-1]) == (0.0, 99_999.0)
    assert np.diff(thinned).max() - np.diff(thinned).min() <= 1
    assert reference_of(np.array([3.0, 1.0, 1.0])).tolist() == [1.0, 1.0, 3.0]


def test_no_users_give_no_predictions() -> None:
    predictions = scorer().predict([], np.empty((0, WIDTH), dtype=np.float32))
    assert predictions.prediction.shape == (0,)
    assert predictions.tier == []


@pytest.mark.parametrize("rows", [[[1.0]], [list(ROW), [1.0]], [["x"] * len(NAMES)], [1.0]])
def test_rows_that_do_not_fit_are_refused(rows: list) -> None:
    with pytest.raises(InvalidInputError, match=f"expected {len(NAMES)} numbers"):
        scorer().predict(rows, np.zeros((len(rows), WIDTH), dtype=np.float32))


def test_profiles_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"profiles: expected shape \[1, 64\], found \[1, 63\]"):
        scorer().predict([ROW], np.zeros((1, 63), dtype=np.float32))
    with pytest.raises(InvalidInputError, match="found None"):
        scorer().predict([ROW], None)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_an_infinite_feature_is_refused(value: float) -> None:
    with pytest.raises(InvalidInputError, match="expected finite numbers"):
        scorer().predict([[value, *ROW[1:]]], np.zeros((1, WIDTH), dtype=np.float32))


def test_a_profile_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="expected finite numbers"):
        scorer().predict([ROW], np.full((1, WIDTH), np.nan, dtype=np.float32))


@pytest.mark.parametrize(
    "changes",
    [
        {"weights": np.zeros(3)},
        {"weights": np.full(len(NAMES), np.nan)},
        {"vector_weights": np.zeros(63)},
        {"vector_weights": np.full(WIDTH, np.inf)},
        {"intercept": np.nan},
        {"reference": np.array([])},
        {"reference": np.array([2.0, 1.0])},
        {"reference": np.array([1.0, np.nan])},
        {"reference": np.zeros(MAXIMUM_REFERENCE + 1)},
    ],
)
def test_parts_that_make_no_scorer_are_refused(changes: dict) -> None:
    with pytest.raises(ArtefactError, match="expected"):
        scorer(**changes)


@pytest.mark.parametrize("bounds", [(50.0, 80.0), (50.0, 80.0, 80.0), (80.0, 50.0, 95.0)])
def test_tier_bounds_that_do_not_rise_are_refused(bounds: tuple[float, ...]) -> None:
    subject = scorer()
    with pytest.raises(ArtefactError, match="tier bounds: expected 3 rising"):
        Scorer(
            model=subject.model,
            reference=subject.reference,
            calibration=subject.calibration,
            tier_bounds=bounds,
        )


def test_a_feature_is_compressed_unless_another_transform_is_given() -> None:
    fitted = Standardiser.fit(NAMES, np.ones((2, len(NAMES))), TRANSFORMS)
    plain = [name for name, transform in zip(NAMES, fitted.transforms, strict=True) if transform is Transform.IDENTITY]
    assert plain == ["conversion_30d", "mean_rating_30d"]
    assert set(Standardiser.fit(NAMES, np.ones((2, len(NAMES)))).transforms) == {Transform.SIGNED_LOG1P}


def test_standardised_columns_have_mean_0_and_deviation_1_over_the_rows_that_have_them() -> None:
    values = np.random.default_rng(0).gamma(1, 9, size=(200, 3))
    values[::3, 1] = np.nan
    names = ("spend_30d", "tenure_days", "mean_rating_30d")
    standardised = Standardiser.fit(names, values).apply(values)
    present = ~np.isnan(values)
    for j in range(3):
        assert standardised[present[:, j], j].mean() == pytest.approx(0, abs=1e-12)
        assert standardised[present[:, j], j].std() == pytest.approx(1, rel=1e-12)
    assert not standardised[::3, 1].any()


def test_a_column_that_is_constant_or_never_there_is_left_unscaled() -> None:
    values = np.stack([np.full(5, 7.1), np.full(5, np.nan)], axis=1)
    fitted = Standardiser.fit(("spend_30d", "tenure_days"), values)
    assert fitted.scales.tolist() == [1.0, 1.0]
    np.testing.assert_allclose(fitted.apply(values), 0, atol=1e-12)


predictions_and_money = st.integers(1, 300).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.float64, n, elements=st.integers(-40, 40).map(lambda x: x / 8)),
        hnp.arrays(np.float64, n, elements=st.integers(0, 10**6).map(lambda x: x / 100)),
    )
)


@given(predictions_and_money)
@settings(max_examples=100, deadline=None)
def test_calibration_rises_everywhere_is_not_negative_and_keeps_the_mean(data: tuple[np.ndarray, np.ndarray]) -> None:
    prediction, money = data
    calibration = Calibration.fit(prediction, money)
    assert calibration.apply(prediction).mean() == pytest.approx(money.mean(), rel=1e-9, abs=1e-9)
    everywhere = calibration.apply(np.linspace(-100, 100, 5001))
    assert (np.diff(everywhere) >= 0).all()
    assert everywhere[0] >= 0
    within = calibration.apply(np.linspace(prediction.min() - 5, prediction.max() + 5, 501))
    assert (np.diff(within) > 0).all() or not money.any()
    assert calibration.x.size <= MAXIMUM_KNOTS


@given(predictions_and_money)
@settings(max_examples=50, deadline=None)
def test_calibration_above_what_was_measured_is_bounded(data: tuple[np.ndarray, np.ndarray]) -> None:
    prediction, money = data
    calibration = Calibration.fit(prediction, money)
    measured = calibration.trusted_up_to
    top = calibration.x[calibration.y <= measured].max()
    assert 0 <= measured <= max(money.max(), money.mean()) * 2
    assert calibration.apply(np.array([top + 1.0]))[0] <= 2 * measured * (1 + 1e-9)
    assert np.isfinite(calibration.apply(np.array([1e300]))).all()


def test_calibration_passes_through_isotonic_regression_where_blocks_are_large_enough() -> None:
    rng = np.random.default_rng(2)
    prediction = np.repeat(np.arange(30.0), 40)
    money = rng.gamma(1, 5 + prediction)
    isotonic = IsotonicRegression().fit(prediction, money).predict(prediction)
    calibration = Calibration.fit(prediction, money)
    of_block = [prediction[isotonic == level].mean() for level in np.unique(isotonic)]
    rising = calibration.apply(np.array(of_block)) / np.unique(isotonic)
    # One factor for all of them, which keeps the mean of the whole.
    np.testing.assert_allclose(rising, rising[0], rtol=1e-9)
    assert rising[0] == pytest.approx(1, abs=0.05)


def test_calibration_follows_a_great_monotone_population_with_few_knots() -> None:
    prediction = np.sort(np.random.default_rng(5).normal(size=20_000))
    calibration = Calibration.fit(prediction, np.exp(prediction))
    assert 100 <= calibration.x.size <= MAXIMUM_KNOTS
    np.testing.assert_allclose(calibration.apply(np.array([-1.0, 0.0, 1.0])), np.exp([-1.0, 0.0, 1.0]), rtol=0.05)


def test_two_shoppers_at_the_top_differ_in_expected_spend_where_their_predictions_do() -> None:
    rng = np.random.default_rng(7)
    prediction = rng.normal(size=2000)
    money = rng.gamma(0.5, np.exp(prediction))
    top = np.sort(prediction)[-20:]
    assert (np.diff(Calibration.fit(prediction, money).apply(top)) > 0).all()


def test_calibration_is_constant_beyond_its_knots() -> None:
    calibration = Calibration(np.array([1.0, 2.0]), np.array([3.0, 5.0]))
    assert calibration.apply(np.array([-9.0, 1.5, 9.0])).tolist() == [3.0, 4.0, 5.0]


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([], []),
        ([1.0], [1.0, 2.0]),
        ([1.0, 1.0], [1.0, 2.0]),
        ([1.0, 2.0], [2.0, 1.0]),
        ([1.0], [-1.0]),
        ([np.nan], [1.0]),
        (list(range(257)), list(range(257))),
    ],
)
def test_knots_that_are_no_calibration_are_refused(x: list[float], y: list[float]) -> None:
    with pytest.raises(ArtefactError, match="calibration: expected"):
        Calibration(np.array(x, dtype=np.float64), np.array(y, dtype=np.float64))


@pytest.mark.parametrize(
    ("prediction", "money"), [([], []), ([1.0], [1.0, 2.0]), ([1.0], [-1.0]), ([np.nan], [1.0]), ([1.0], [np.inf])]
)
def test_what_cannot_be_calibrated_is_refused(prediction: list[float], money: list[float]) -> None:
    with pytest.raises(InvalidInputError, match="calibration: expected"):
        Calibration.fit(np.array(prediction), np.array(money))
