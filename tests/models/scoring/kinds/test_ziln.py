import numpy as np
import pytest
import torch
from support.spenders import NAMES, spenders

from models.exceptions import ArtefactError, InvalidInputError
from models.measures.spend import spearman
from models.profile import WIDTH
from models.scoring.kinds.protocol import Fitted
from models.scoring.kinds.ziln import LEAST_SIGMA, ZilnModel
from models.scoring.standardising import Standardiser
from models.training.fits.ziln import ZilnOptions, fit_ziln
from models.training.rows import TrainingRows

OPTIONS = ZilnOptions(hidden=8, epochs=40, batch_rows=128, patience=3)


@pytest.fixture(scope="module")
def rows() -> TrainingRows:
    return spenders(900)


@pytest.fixture(scope="module")
def fitted(rows: TrainingRows) -> Fitted:
    return fit_ziln(NAMES, rows, OPTIONS, seed=3)


@pytest.fixture(scope="module")
def model(fitted: Fitted) -> ZilnModel:
    assert isinstance(fitted.model, ZilnModel)
    return fitted.model


def test_the_prediction_is_log1p_of_the_mean_of_the_mixture(model: ZilnModel, rows: TrainingRows) -> None:
    p, mu, sigma = model.distribution(rows.values, rows.profiles)
    mean = p * np.exp(mu + sigma**2 / 2)
    np.testing.assert_allclose(model.predict(rows.values, rows.profiles), np.log1p(mean), rtol=1e-12)
    assert ((p > 0) & (p < 1) & (sigma >= LEAST_SIGMA)).all()


def test_it_finds_share_of_buyers_mean_and_order_of_what_was_spent(model: ZilnModel) -> None:
    unseen = spenders(2000, seed=9)
    p, _, _ = model.distribution(unseen.values, unseen.profiles)
    prediction = model.predict(unseen.values, unseen.profiles)
    assert p.mean() == pytest.approx((unseen.money > 0).mean(), abs=0.05)
    assert np.expm1(prediction).mean() == pytest.approx(unseen.money.mean(), rel=0.2)
    assert spearman(unseen.values[:, 2], prediction) > 0.8
    buyers = spenders(2000, seed=9).money > 0
    assert p[buyers].mean() > p[~buyers].mean() + 0.05


def test_the_forward_pass_is_that_of_torch(model: ZilnModel, rows: TrainingRows) -> None:
    inputs = torch.tensor(np.hstack([model.standardiser.apply(rows.values), rows.profiles]))
    raw = torch.tanh(inputs @ torch.tensor(model.hidden) + torch.tensor(model.hidden_bias)) @ torch.tensor(model.output)
    raw += torch.tensor(model.output_bias)
    p, mu, sigma = model.distribution(rows.values, rows.profiles)
    np.testing.assert_allclose(p, torch.sigmoid(raw[:, 0]).numpy(), rtol=1e-9)
    np.testing.assert_allclose(mu, raw[:, 1].numpy(), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(sigma, torch.nn.functional.softplus(raw[:, 2]).numpy() + LEAST_SIGMA, rtol=1e-9)


def test_intercept_and_contributions_sum_to_the_prediction(model: ZilnModel, rows: TrainingRows) -> None:
    total = model.intercept + model.contributions(rows.values, rows.profiles).sum(axis=1)
    np.testing.assert_allclose(total, model.predict(rows.values, rows.profiles), rtol=0, atol=1e-9)


def test_contributions_are_the_integral_of_the_gradient_along_the_line(model: ZilnModel, rows: TrainingRows) -> None:
    inputs = torch.tensor(np.hstack([model.standardiser.apply(rows.values[:5]), rows.profiles[:5]]))
    layers = [torch.tensor(layer) for layer in (model.hidden, model.hidden_bias, model.output, model.output_bias)]
    steps, gradients = 2000, torch.zeros_like(inputs)
    for step in range(steps):
        point = (inputs * ((step + 0.5) / steps)).requires_grad_()
        raw = torch.tanh(point @ layers[0] + layers[1]) @ layers[2] + layers[3]
        sigma = torch.nn.functional.softplus(raw[:, 2]) + LEAST_SIGMA
        mean = torch.sigmoid(raw[:, 0]) * torch.exp(raw[:, 1] + sigma**2 / 2)
        gradients += torch.autograd.grad(torch.log1p(mean).sum(), point)[0] / steps
    expected = (inputs * gradients).numpy()
    found = model.contributions(rows.values[:5], rows.profiles[:5])
    np.testing.assert_allclose(found[:, :-1], expected[:, : len(NAMES)], atol=1e-5)
    np.testing.assert_allclose(found[:, -1], expected[:, len(NAMES) :].sum(axis=1), atol=1e-5)


def test_a_user_scores_the_same_to_the_last_bit_alone_and_in_a_batch(model: ZilnModel, rows: TrainingRows) -> None:
    values, profiles = rows.values[:70], rows.profiles[:70]
    predictions, terms = model.predict(values, profiles), model.contributions(values, profiles)
    for i in range(70):
        assert model.predict(values[i : i + 1], profiles[i : i + 1])[0] == predictions[i]
        assert model.contributions(values[i : i + 1], profiles[i : i + 1])[0].tolist() == terms[i].tolist()


def test_a_shopper_of_whom_nothing_is_known_is_the_intercept(model: ZilnModel) -> None:
    unknown = np.full((1, len(NAMES)), np.nan)
    assert model.predict(unknown, None)[0] == model.intercept
    assert str(model.contributions(unknown, None).tolist()) == str([[0.0] * (len(NAMES) + 1)])


def test_unheard_of_values_give_finite_predictions(model: ZilnModel) -> None:
    extreme = np.array([[1e9] * len(NAMES), [0.0] * len(NAMES), [-1e9] * len(NAMES)])
    assert np.isfinite(model.predict(extreme, None)).all()
    total = model.intercept + model.contributions(extreme, None).sum(axis=1)
    np.testing.assert_allclose(total, model.predict(extreme, None), rtol=0, atol=1e-9)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(rows: TrainingRows, fitted: Fitted) -> None:
    torch.rand(7)
    again, other = (fit_ziln(NAMES, rows, OPTIONS, seed=seed).model.tensors() for seed in (3, 4))
    first = fitted.model.tensors()
    assert {name: tensor.tobytes() for name, tensor in again.items()} == {
        name: tensor.tobytes() for name, tensor in first.items()
    }
    assert other["hidden"].tobytes() != first["hidden"].tobytes()


def test_fitting_leaves_the_random_numbers_of_others_alone(rows: TrainingRows) -> None:
    torch.manual_seed(1)
    expected = torch.rand(3).tolist()
    torch.manual_seed(1)
    fit_ziln(NAMES, rows, ZilnOptions(hidden=2, epochs=1), seed=0)
    assert torch.rand(3).tolist() == expected


def test_it_stops_early_and_keeps_the_best_epoch(rows: TrainingRows) -> None:
    losses: dict[int, float] = {}

    def watch(name: str, step: int, loss: float) -> None:
        if name == "validation":
            losses[step] = loss

    few = rows.where(np.arange(900) < 60)
    options = ZilnOptions(hidden=32, dropout=0.0, weight_decay=0.0, learning_rate=0.02, batch_rows=20, patience=3)
    found = fit_ziln(NAMES, few, options, seed=0, validation=spenders(300, seed=5), watch=watch)
    assert max(losses) < options.epochs
    assert losses[found.rounds] == min(losses.values())
    assert max(losses) == found.rounds + options.patience
    same = fit_ziln(NAMES, few, ZilnOptions(**{**vars(options), "epochs": found.rounds}), seed=0)
    assert same.model.tensors()["hidden"].tobytes() == found.model.tensors()["hidden"].tobytes()


def test_weight_decay_and_dropout_shrink_what_is_learnt(rows: TrainingRows) -> None:
    def spread(**changes: float) -> float:
        options = ZilnOptions(**{**vars(OPTIONS), "dropout": 0.0, "weight_decay": 0.0, **changes})
        return float(fit_ziln(NAMES, rows, options, seed=0).model.predict(rows.values, rows.profiles).std())

    free = spread()
    assert spread(weight_decay=30.0) < free / 2
    assert spread(dropout=0.9) < free


@pytest.mark.parametrize(
    "change", [{"hidden": 0}, {"dropout": 1.0}, {"weight_decay": -1.0}, {"learning_rate": 0.0}, {"patience": 0}]
)
def test_options_that_cannot_be_fitted_are_refused(change: dict) -> None:
    with pytest.raises(InvalidInputError, match="ziln: expected positive sizes"):
        ZilnOptions(**change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden": np.zeros((3, 2))}, "expected layers of shapes"),
        ({"hidden_bias": np.array([])}, "expected layers of shapes"),
        ({"output": np.full((2, 3), np.nan)}, "expected finite"),
    ],
)
def test_layers_that_make_no_network_are_refused(change: dict, message: str) -> None:
    layers = {
        "hidden": np.zeros((len(NAMES) + WIDTH, 2)),
        "hidden_bias": np.zeros(2),
        "output": np.zeros((2, 3)),
        "output_bias": np.zeros(3),
    }
    standardiser = Standardiser.fit(NAMES, spenders(10).values)
    ZilnModel(standardiser=standardiser, **layers)
    with pytest.raises(ArtefactError, match=message):
        ZilnModel(standardiser=standardiser, **{**layers, **change})
