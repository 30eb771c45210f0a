from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from support.small_bert import save_small_bert

from models.encoder.bert import BertEncoder, digest
from models.encoder.locate import DEFAULT_ENCODER, locate
from models.encoder.passes.choice import forward_of
from models.encoder.passes.dense import BfloatDense, Int8Dense, Precision, _has_bfloat16, _has_int8, dense, dense_of
from models.exceptions import EncoderLoadError

needs_bfloat16 = pytest.mark.skipif(not _has_bfloat16(), reason="this CPU has no bfloat16 products")
needs_int8 = pytest.mark.skipif(not _has_int8(), reason="this CPU has no products of 8-bit integers")
BOTH = [pytest.param("bfloat16", marks=needs_bfloat16), pytest.param("int8", marks=needs_int8)]

TEXTS = [
    "ok",
    "good",
    "",
    "Great phone case, fits perfectly.",
    "Terrible. Broke after two days, and the seller never answered.",
    "The battery lasts two days; the screen is bright; the price is fair.",
    "wireless headphones",
    "size 42 running shoes men",
    "ÜBERGRÖSSE straße",
    "质量很好，物流很快，下次还会再来。",
    "I ordered the blue one and received the red one, but honestly I like the red one more. " * 4,
    "delivery was quick and the colour is as shown " * 60,
]


def cosines(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float64]:
    norms = np.linalg.norm(left.astype(np.float64), axis=1) * np.linalg.norm(right.astype(np.float64), axis=1)
    return (left.astype(np.float64) * right).sum(axis=1) / norms


@pytest.fixture(scope="module")
def exact() -> BertEncoder:
    return BertEncoder.load(DEFAULT_ENCODER, device="cpu", threads=1)


@pytest.mark.parametrize(
    ("precision", "mean", "least"),
    [
        pytest.param("bfloat16", 0.9999, 0.999, marks=needs_bfloat16),
        pytest.param("int8", 0.98, 0.97, marks=needs_int8),
    ],
)
def test_the_default_encoder_agrees_with_itself_in_float32(
    exact: BertEncoder, precision: Precision, mean: float, least: float
) -> None:
    encoder = BertEncoder.load(DEFAULT_ENCODER, device="cpu", precision=precision)
    tokens = exact.tokenize(TEXTS)
    assert encoder.packed
    assert encoder.tokenize(TEXTS) == tokens
    found = encoder.embed(tokens)
    agreement = cosines(found, exact.embed(tokens))
    assert found.dtype == np.float32
    assert mean <= agreement.mean() < 1
    assert agreement.min() >= least
    # A text alone is not rounded otherwise than in company.
    alone = np.concatenate([encoder.embed([text]) for text in tokens])
    assert cosines(alone, found).min() > 0.9999


@pytest.mark.parametrize("precision", BOTH)
def test_a_precision_has_an_identity_of_its_own_and_float32_keeps_that_of_the_files(
    tmp_path: Path, precision: Precision
) -> None:
    folder = save_small_bert(tmp_path / "small")
    plain = BertEncoder.load(str(folder), device="cpu", precision="float32")
    other = BertEncoder.load(str(folder), device="cpu", precision=precision)
    again = BertEncoder.load(str(folder), device="cpu", precision=precision)
    assert plain.weights_digest == BertEncoder.load(str(folder), device="cpu").weights_digest == digest(folder)
    assert other.weights_digest == again.weights_digest != plain.weights_digest
    assert len(bytes.fromhex(other.weights_digest)) == 32


@needs_bfloat16
@needs_int8
def test_two_precisions_have_two_identities(tmp_path: Path) -> None:
    folder = str(save_small_bert(tmp_path / "small"))
    kinds: tuple[Precision, ...] = ("float32", "bfloat16", "int8")
    assert len({BertEncoder.load(folder, device="cpu", precision=kind).weights_digest for kind in kinds}) == 3


@pytest.mark.parametrize(
    "layer", [pytest.param(BfloatDense, marks=needs_bfloat16), pytest.param(Int8Dense, marks=needs_int8)]
)
def test_layers_in_lower_precision_compute_what_exact_ones_do_but_for_rounding(layer: Any) -> None:
    made = torch.Generator().manual_seed(0)
    weight, bias = torch.randn(48, 32, generator=made), torch.randn(48, generator=made)
    x, residual = torch.randn(60, 32, generator=made), torch.randn(60, 48, generator=made)
    found, exactly = layer(weight, bias), dense(weight, bias)
    before = residual.clone()
    for mine, theirs in (
        (found(x), exactly(x)),
        (found.plus(x, residual), exactly.plus(x, residual)),
        (found.gelu(x).float(), exactly.gelu(x)),
    ):
        assert mine.dtype == torch.float32
        assert (mine - theirs).norm() / theirs.norm() < 0.02
    torch.testing.assert_close(residual, before, atol=0, rtol=0)


@needs_int8
def test_a_layer_of_zeros_in_8_bits_gives_its_bias() -> None:
    bias = torch.arange(16.0)
    layer = Int8Dense(torch.zeros(16, 32), bias)
    torch.testing.assert_close(layer(torch.zeros(3, 32)), bias.expand(3, 16))


@needs_int8
def test_a_row_in_8_bits_does_not_depend_on_its_neighbours() -> None:
    made = torch.Generator().manual_seed(0)
    layer = Int8Dense(torch.randn(48, 32, generator=made), torch.zeros(48))
    row = torch.randn(1, 32, generator=made)
    torch.testing.assert_close(layer(torch.cat([row, 1000 * row, row]))[2:], layer(row), atol=0, rtol=0)


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_a_cpu_without_such_products_is_named(precision: Precision, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(EncoderLoadError, match=f"{precision}.*use precision float32"):
        dense_of(precision)
    assert dense_of("float32") is dense


def test_a_model_that_is_no_plain_bert_has_no_other_precision() -> None:
    from transformers import BertConfig, BertModel

    config = BertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, hidden_act="relu"
    )
    with pytest.raises(EncoderLoadError, match="plain BERT on the CPU"):
        forward_of(BertModel(config), 0, torch.device("cpu"), "int8")


def test_the_bundled_encoder_keeps_its_identity(exact: BertEncoder) -> None:
    assert exact.weights_digest == digest(locate(DEFAULT_ENCODER))
