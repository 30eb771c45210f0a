import numpy as np
import pytest
from scipy.optimize import minimize

from models.exceptions import ArtefactError, InvalidInputError
from models.profile import WIDTH
from models.scoring.kinds.derived import Derived, orders_left
from models.scoring.kinds.loglinear import LogLinearModel
from models.scoring.kinds.restore import restore, tensor_types
from models.scoring.standardising import Standardiser
from models.training.fits.loglinear import EXPONENT, fit_loglinear
from models.training.rows import TrainingRows

NAMES = ("views_30d", "lifetime_purchases", "lifetime_spend", "tenure_days", "days_since_last_purchase")
COLUMNS = (
    "days_from_first_event_to_last_purchase",
    "mean_order_value",
    *(f"{what}_left_{days}d" for days in (30, 60, 120) for what in ("orders", "spend")),
)


def customers(n: int, seed: int = 0, profiles: bool = True) -> TrainingRows:
    """Rows of made-up customers who buy more the more, and the more lately, they bought; a tenth never did."""
    rng = np.random.default_rng(seed)
    orders = rng.geometric(0.5, n).astype(float)
    idle = rng.exponential(60, n)
    age = np.where(orders > 1, idle + rng.exponential(90, n), idle)
    spend = orders * rng.lognormal(3, 0.5, n)
    values = np.stack([rng.poisson(3, n), orders, spend, age, idle], axis=1).astype(np.float64)
    values[::10, 1:3], values[::10, 4] = 0.0, np.nan
    vectors = rng.normal(size=(n, WIDTH))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rate = 0.7 * np.nan_to_num(orders * np.exp(-values[:, 4] / 60)) + 0.05
    money = np.where(rng.random(n) < rate / (1 + rate), spend / orders * rng.lognormal(0, 0.4, n), 0.0)
    vectors = vectors.astype(np.float32) if profiles else np.zeros((n, WIDTH), np.float32)
    return TrainingRows.checked(NAMES, values, vectors, money, [str(i) for i in range(n)])


def fitted(rows: TrainingRows, decay: float = 15.0, of_profile: float = 1500.0) -> LogLinearModel:
    model = fit_loglinear(NAMES, rows, weight_decay=decay, profile_weight_decay=of_profile).model
    assert isinstance(model, LogLinearModel)
    return model


@pytest.fixture(scope="module")
def model() -> LogLinearModel:
    return fitted(customers(1500))


def test_what_is_left_of_one_or_two_orders_is_exact_and_of_more_lies_between() -> None:
    one, two, three = (orders_left(np.array([n]), np.array([90.0]), np.array([30.0]), 30.0)[0] for n in (1.0, 2.0, 3.0))
    assert one == pytest.approx(0.5)
    assert two == pytest.approx(0.5 + 0.125)
    assert two + 0.125 < three < two + 0.5
    assert three == pytest.approx(two + np.mean(2 ** -(np.linspace(30, 90, 100_001) / 30)), abs=1e-5)
    same_day = orders_left(np.array([5.0]), np.array([60.2]), np.array([60.0]), 60.0)[0]
    assert same_day == pytest.approx(2.5, abs=0.01)


def test_derived_columns_stand_beside_the_features_and_a_shopper_without_purchase_has_none() -> None:
    derived = Derived.of(NAMES)
    assert derived.columns == COLUMNS
    assert [NAMES[owner] for owner in derived.owners] == [
        "tenure_days",
        "lifetime_spend",
        *("lifetime_purchases", "lifetime_spend") * 3,
    ]
    bought, never = derived.extend(np.array([[4, 2.0, 50.0, 90.0, 30.0], [4, 0.0, 0.0, 90.0, np.nan]]))
    assert bought[:7].tolist() == [4, 2, 50, 90, 30, 60, 25]
    assert bought[7:9] == pytest.approx([0.625, 0.625 * 25])
    assert np.isnan(never[5:7]).all()
    assert never[7:].tolist() == [0.0] * 6


def test_orders_are_orders_where_they_are_known_and_lines_in_an_artefact_of_before() -> None:
    line = np.array([[4, 2.0, 50.0, 90.0, 30.0]])
    known = Derived.of((*NAMES, "lifetime_orders")).extend(np.column_stack([line, [1.0]]))
    assert known[0, 6:9].tolist() == [60, 50, 0.5]
    assert Derived.of(NAMES).extend(line)[0, 6] == 25


def test_features_that_nothing_can_be_derived_from_are_taken_as_they_are() -> None:
    derived = Derived.of(("views_30d", "lifetime_spend"))
    values = np.array([[1.0, 2.0]])
    assert derived.columns == ()
    assert derived.extend(values).tolist() == values.tolist()
    for names, days in ((("views_30d",), (30.0,)), (NAMES, (0.0,)), (NAMES, (np.nan,))):
        with pytest.raises(ArtefactError, match="half-lives: expected"):
            Derived(names, days)


def test_the_fit_meets_the_minimum_that_a_general_optimiser_finds() -> None:
    rows = customers(300, profiles=False)
    found = fitted(rows, decay=15.0)
    z = found.standardiser.apply(found.derived.extend(rows.values))
    powers = rows.money**EXPONENT
    outcome = powers / powers.mean()

    def loss(weights: np.ndarray) -> float:
        logs = weights[0] + z @ weights[1:]
        return float((np.exp(logs) - outcome * logs).mean() + 0.05 * (weights[1:] ** 2).sum() / 2)

    best = minimize(loss, np.zeros(z.shape[1] + 1), method="BFGS", options={"gtol": 1e-9})
    np.testing.assert_allclose(found.weights * EXPONENT, best.x[1:], atol=1e-5)
    np.testing.assert_allclose(found.profile_weights, 0.0, atol=1e-12)


def test_over_the_rows_it_was_fitted_on_the_mean_power_of_money_is_kept(model: LogLinearModel) -> None:
    rows = customers(1500)
    money = np.expm1(model.predict(rows.values, rows.profiles))
    assert (money**EXPONENT).mean() == pytest.approx((rows.money**EXPONENT).mean(), rel=1e-6)


def test_a_penalty_means_the_same_in_every_currency(model: LogLinearModel) -> None:
    rows = customers(1500)
    dear = TrainingRows(rows.values, rows.profiles, rows.money * 1000, np.log1p(rows.money * 1000))
    other = fitted(dear)
    np.testing.assert_allclose(other.weights, model.weights, atol=1e-7)
    assert other.level == pytest.approx(model.level + np.log(1000))


def test_a_penalty_is_worth_so_many_rows() -> None:
    rows = customers(300)
    twice = TrainingRows(
        *(np.concatenate([part, part]) for part in (rows.values, rows.profiles, rows.money, rows.target))
    )
    once, again = fitted(rows, 15.0, 1500.0), fitted(twice, 30.0, 3000.0)
    np.testing.assert_allclose(again.weights, once.weights, atol=1e-9)


def test_more_and_later_orders_raise_the_prediction(model: LogLinearModel) -> None:
    rows = np.array([[3, 1, 20, 200, 200], [3, 1, 20, 10, 10], [3, 4, 80, 200, 10]], dtype=np.float64)
    assert (np.diff(model.predict(rows, None)) > 0).all()


def test_the_prediction_is_log1p_of_an_exponential_and_contributions_sum_to_it(model: LogLinearModel) -> None:
    rows = customers(200, seed=3)
    terms = model.contributions(rows.values, rows.profiles)
    z = model.standardiser.apply(model.derived.extend(rows.values))
    logs = model.level + z @ model.weights + rows.profiles @ model.profile_weights
    np.testing.assert_allclose(model.predict(rows.values, rows.profiles), np.log1p(np.exp(logs)), atol=1e-12)
    np.testing.assert_allclose(model.intercept + terms.sum(axis=1), np.log1p(np.exp(logs)), atol=1e-12)
    assert terms.shape == (200, len(NAMES) + 1)
    assert model.attribution == "integrated_gradients"


def test_contributions_are_the_integral_of_the_gradient_from_the_mean_shopper(model: LogLinearModel) -> None:
    rows = customers(5, seed=4)
    z = model.standardiser.apply(model.derived.extend(rows.values)) * model.weights
    of_profile = rows.profiles @ model.profile_weights
    steps = (np.arange(100_000) + 0.5) / 100_000
    for row, terms in enumerate(model.contributions(rows.values, rows.profiles)):
        above = z[row].sum() + of_profile[row]
        gradient = np.mean(1 / (1 + np.exp(-(model.level + steps * above))))
        assert terms[0] == pytest.approx(z[row, 0] * gradient, rel=1e-6)
        assert terms[3] == pytest.approx((z[row, 3] + z[row, 5]) * gradient, rel=1e-6)
        assert terms[-1] == pytest.approx(of_profile[row] * gradient, rel=1e-6)


def test_next_to_the_mean_shopper_nothing_is_lost_to_rounding(model: LogLinearModel) -> None:
    nobody = np.full((1, len(NAMES)), np.nan)
    flat = LogLinearModel(
        derived=Derived(NAMES, ()),
        standardiser=Standardiser.fit(NAMES, customers(50).values),
        weights=np.zeros(len(NAMES)),
        profile_weights=np.full(WIDTH, 1e-9),
        level=model.level,
    )
    vector = np.ones((1, WIDTH)) / 8
    terms = flat.contributions(nobody, vector)
    assert terms[0, -1] == pytest.approx(8e-9 / (1 + np.exp(-model.level)), rel=1e-6)
    assert flat.contributions(nobody, None).tolist() == [[0.0] * (len(NAMES) + 1)]


def test_a_user_scores_the_same_to_the_last_bit_alone_and_in_a_batch(model: LogLinearModel) -> None:
    rows = customers(257, seed=5)
    together = model.contributions(rows.values, rows.profiles)
    for i in range(257):
        alone = model.contributions(rows.values[i : i + 1], rows.profiles[i : i + 1])
        assert alone[0].tolist() == together[i].tolist()


def test_a_penalised_profile_has_next_to_nothing_to_say() -> None:
    rows = customers(600)
    sizes = [np.abs(fitted(rows, of_profile=penalty).profile_weights).max() for penalty in (6.0, 600.0, 600_000.0)]
    assert sizes[0] > 10 * sizes[1] > 1000 * sizes[2]


def test_rows_without_spend_are_refused() -> None:
    rows = customers(50)
    poor = TrainingRows(rows.values, rows.profiles, np.zeros(50), np.zeros(50))
    with pytest.raises(InvalidInputError, match="expected some spend to fit to"):
        fitted(poor)


def test_what_is_written_comes_back_and_what_is_no_such_model_is_refused(model: LogLinearModel) -> None:
    again = restore("loglinear", NAMES, model.document(), model.tensors())
    rows = customers(20, seed=6)
    expected = model.contributions(rows.values, rows.profiles)
    assert again.contributions(rows.values, rows.profiles).tolist() == expected.tolist()
    found = {name: (str(tensor.dtype), tensor.ndim) for name, tensor in model.tensors().items()}
    assert tensor_types("loglinear", model.document()) == found
    for document, tensors, message in (
        ({}, {}, "loglinear: expected the description"),
        ({"half_lives_days": [30.0], "transforms": []}, {}, "features: expected 9 transforms"),
        ({}, {"level": np.array([1.0, 2.0])}, "level: expected one number"),
        (model.document(), {"level": np.array([np.nan])}, "weights: expected finite numbers"),
        (model.document(), {"weights": np.zeros(3)}, "weights: expected one for each of 13 columns"),
        (model.document(), {"profile_weights": np.zeros(3)}, "profile weights: expected 64"),
    ):
        with pytest.raises(ArtefactError, match=message):
            restore("loglinear", NAMES, document, {**model.tensors(), **tensors})
