from __future__ import annotations

import pytest
import torch

from models.encoder.passes.dense import Dense, PlainDense, PrepackedDense, dense

KINDS = [PlainDense, PrepackedDense]


def numbers(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


WEIGHT, BIAS = numbers(48, 32), numbers(48)


@pytest.fixture(params=KINDS)
def layer(request: pytest.FixtureRequest) -> Dense:
    made: Dense = request.param(WEIGHT, BIAS)
    return made


def exact(x: torch.Tensor) -> torch.Tensor:
    return x.double() @ WEIGHT.double().T + BIAS.double()


@pytest.mark.parametrize("rows", [1, 2, 31, 32, 200])
def test_a_dense_layer_is_a_product_and_a_bias(layer: Dense, rows: int) -> None:
    x = numbers(rows, 32)
    torch.testing.assert_close(layer(x).double(), exact(x), atol=1e-5, rtol=1e-5)


def test_a_residual_is_added_and_left_as_it_was(layer: Dense) -> None:
    x, residual = numbers(7, 32), numbers(7, 48)
    before = residual.clone()
    torch.testing.assert_close(layer.plus(x, residual).double(), exact(x) + residual, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(residual, before, atol=0, rtol=0)


def test_the_activation_is_the_exact_gelu_and_not_its_approximation_by_tanh(layer: Dense) -> None:
    x = numbers(60, 32)
    y = exact(x)
    expected = y * (1 + torch.erf(y / 2**0.5)) / 2
    by_tanh = torch.nn.functional.gelu(y, approximate="tanh")
    assert (by_tanh - expected).abs().max() > 1e-4
    torch.testing.assert_close(layer.gelu(x).double(), expected, atol=1e-5, rtol=1e-5)


def test_a_layer_keeps_its_weight_when_the_one_it_was_made_of_changes() -> None:
    weight = WEIGHT.clone()
    layer = PrepackedDense(weight, BIAS)
    weight.zero_()
    x = numbers(3, 32)
    torch.testing.assert_close(layer(x).double(), exact(x), atol=1e-5, rtol=1e-5)


def test_a_layer_is_prepacked_only_where_that_is_known_to_be_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert type(dense(WEIGHT, BIAS)) is PrepackedDense
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert type(dense(WEIGHT, BIAS)) is PlainDense
