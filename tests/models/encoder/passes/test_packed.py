from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import AutoModel, BertConfig, BertModel, RobertaConfig, RobertaModel

from models.encoder.bert import BertEncoder
from models.encoder.locate import DEFAULT_ENCODER, locate
from models.encoder.passes.dense import PlainDense, PrepackedDense
from models.encoder.passes.packed import PackedForward, can_pack
from models.encoder.passes.padded import PaddedForward

VOCABULARY = 500
LONGEST = 256
SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "max_position_embeddings": LONGEST,
}


def bert(**options: Any) -> BertModel:
    torch.manual_seed(0)
    model = BertModel(BertConfig(**SHAPE | options)).eval().requires_grad_(False)
    # Freshly made layers have neither biases nor unequal scales, and a mistake with them would not show.
    for parameter in model.parameters():
        parameter += 0.1 * torch.randn_like(parameter)
    return model


def padded(model: Any) -> PaddedForward:
    return PaddedForward(model, padding=0, device=torch.device("cpu"))


def texts(lengths: Sequence[int]) -> list[list[int]]:
    rng = np.random.default_rng(len(lengths))
    return [rng.integers(VOCABULARY, size=length).tolist() for length in lengths]


def cosines(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float64]:
    norms = np.linalg.norm(left.astype(np.float64), axis=1) * np.linalg.norm(right.astype(np.float64), axis=1)
    return (left.astype(np.float64) * right).sum(axis=1) / norms


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Compute on one thread: the models are so small that two would mostly wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def model() -> BertModel:
    return bert()


@pytest.mark.parametrize("make_dense", [PlainDense, PrepackedDense])
def test_single_texts_of_every_length_agree_with_transformers(model: BertModel, make_dense: Any) -> None:
    packed, reference = PackedForward(model, make_dense), padded(model)
    for text in texts(range(1, LONGEST + 1)):
        found, expected = packed.embed([text]), reference.embed([text])
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert cosines(found, expected).min() > 0.99999


@pytest.mark.parametrize("seed", range(4))
def test_mixed_batches_agree_with_transformers_in_the_order_given(model: BertModel, seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Half of them of few lengths, so that texts share a block, and half of many.
    lengths = rng.permutation([*rng.integers(1, 8, size=20), *rng.integers(1, LONGEST + 1, size=20)])
    batch = texts(lengths)
    found = PackedForward(model).embed(batch)
    np.testing.assert_allclose(found, padded(model).embed(batch), atol=1e-5)
    assert cosines(found, padded(model).embed(batch)).min() > 0.99999


def test_texts_of_many_lengths_in_one_batch_agree_with_each_text_alone(model: BertModel) -> None:
    packed = PackedForward(model)
    batch = texts(range(LONGEST, 0, -5))
    alone = np.concatenate([packed.embed([text]) for text in batch])
    np.testing.assert_allclose(packed.embed(batch), alone, atol=1e-5)


def test_the_bundled_encoder_agrees_with_sentence_transformers_at_lengths_up_to_its_limit() -> None:
    from sentence_transformers import SentenceTransformer

    encoder = BertEncoder.load(DEFAULT_ENCODER, device="cpu")
    words = ["the", "blue", "case", "arrived", "late", "but", "it", "fits", "my", "old", "phone"]
    written = [" ".join((words[n % 7 :] + words * 24)[:n]) for n in (*range(12), *range(12, 250, 17), 254)]
    tokens = encoder.tokenize(written)
    assert {2, 3, 12, 13, 256} <= {len(text) for text in tokens}
    sentences = SentenceTransformer(str(locate(DEFAULT_ENCODER)), device="cpu")
    reference = sentences.encode(written, batch_size=16)
    assert encoder.packed
    assert cosines(encoder.embed(tokens), reference).min() > 0.9999
    assert cosines(np.concatenate([encoder.embed([text]) for text in tokens]), reference).min() > 0.9999


def test_products_come_in_few_heights_for_each_costs_memory_that_is_never_given_back(model: BertModel) -> None:
    heights: set[int] = set()

    class Recording(PlainDense):
        def __call__(self, x: torch.Tensor) -> torch.Tensor:
            heights.add(len(x))
            return super().__call__(x)

    packed = PackedForward(model, Recording)
    for text in texts(range(1, LONGEST + 1)):
        packed.embed([text])
    assert len(heights) == LONGEST / 32


def test_the_model_may_be_let_go(model: BertModel) -> None:
    passing = bert()
    batch = texts([3, 5])
    packed = PackedForward(passing, PrepackedDense)
    before = packed.embed(batch)
    gone = weakref.ref(passing.encoder.layer[0].output.dense.weight)
    del passing
    gc.collect()
    assert gone() is None
    np.testing.assert_array_equal(packed.embed(batch), before)


def test_a_token_that_the_model_does_not_know_is_an_error(model: BertModel) -> None:
    with pytest.raises(IndexError):
        PackedForward(model).embed([[1, VOCABULARY]])
    with pytest.raises(IndexError):
        PackedForward(model).embed([[1] * (LONGEST + 1)])


def test_the_bundled_encoder_can_be_packed() -> None:
    assert can_pack(AutoModel.from_pretrained(locate(DEFAULT_ENCODER), local_files_only=True))


def adapted() -> BertModel:
    class LowRank(torch.nn.Linear):
        """Stands for what an adapter puts in the place of a layer."""

    model = bert()
    model.encoder.layer[0].attention.self.query = LowRank(48, 48)
    return model


@pytest.mark.parametrize(
    "make",
    [
        lambda: bert(hidden_act="gelu_new"),
        lambda: bert(hidden_act="relu"),
        lambda: bert(is_decoder=True),
        lambda: bert(is_decoder=True, add_cross_attention=True),
        lambda: bert().bfloat16(),
        lambda: bert().half(),
        adapted,
        lambda: RobertaModel(RobertaConfig(**SHAPE | {"max_position_embeddings": LONGEST + 2})),
    ],
)
def test_what_is_no_plain_bert_in_float32_is_not_packed(make: Any) -> None:
    assert can_pack(bert())
    assert not can_pack(make())


@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_an_encoder_packs_what_it_can_and_pads_the_rest(tmp_path: Path, activation: str) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(locate(DEFAULT_ENCODER), local_files_only=True)
    model = bert(hidden_act=activation, vocab_size=len(tokenizer))
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    encoder = BertEncoder.load(str(tmp_path), device="cpu")
    assert encoder.packed is (activation == "gelu")
    tokens = encoder.tokenize(["good", "a phone case that fits", "", "it broke after two days"])
    np.testing.assert_allclose(encoder.embed(tokens), padded(model).embed(tokens), atol=1e-5)
