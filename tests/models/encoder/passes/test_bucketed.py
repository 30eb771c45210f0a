from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from support.fake_cuda import FakeCuda, FakeTorch
from transformers import BertConfig, BertModel

from models.encoder.passes.bucketed import BucketedForward, can_bucket
from models.encoder.passes.buckets import Bucket, buckets
from models.encoder.passes.cuda_graphs import GraphPasses
from models.encoder.passes.padded import PaddedForward
from models.exceptions import InvalidInputError

CPU = torch.device("cpu")
VOCABULARY = 500
LONGEST = 200
ROWS = 512


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def model() -> BertModel:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=96,
        max_position_embeddings=LONGEST,
    )
    model = BertModel(config).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter += 0.1 * torch.randn_like(parameter)
    return model


@pytest.fixture
def forward(model: BertModel) -> BucketedForward:
    return BucketedForward(model, device=CPU, rows=ROWS)


@pytest.fixture
def fake_cuda(monkeypatch: pytest.MonkeyPatch) -> FakeCuda:
    stand_in = FakeTorch()
    monkeypatch.setattr("models.encoder.passes.cuda_graphs.torch", stand_in)
    return stand_in.cuda


def texts(lengths: Sequence[int]) -> list[list[int]]:
    rng = np.random.default_rng(len(lengths))
    return [rng.integers(VOCABULARY, size=length).tolist() for length in lengths]


def cosines(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float64]:
    norms = np.linalg.norm(left.astype(np.float64), axis=1) * np.linalg.norm(right.astype(np.float64), axis=1)
    return (left.astype(np.float64) * right).sum(axis=1) / norms


@pytest.mark.parametrize(
    "lengths",
    [
        pytest.param([1], id="one token"),
        pytest.param([LONGEST], id="one full text"),
        pytest.param([2] * 100, id="more texts than a pass has room for"),
        pytest.param([LONGEST] * 7, id="more tokens than a pass has room for"),
        pytest.param([*range(LONGEST, 0, -3)], id="many lengths"),
        pytest.param([128] * 4, id="rows filled to the last"),
        pytest.param([1, 129, 3], id="one beyond the short ones"),
    ],
)
def test_embeddings_agree_with_transformers_in_the_order_given(
    model: BertModel, forward: BucketedForward, lengths: list[int]
) -> None:
    batch = texts(lengths)
    found, expected = forward.embed(batch), PaddedForward(model, padding=0, device=CPU).embed(batch)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert cosines(found, expected).min() > 0.9999


def test_an_embedding_does_not_depend_on_the_rest_of_its_batch(forward: BucketedForward) -> None:
    batch = texts([*range(1, LONGEST, 9)])
    alone = np.concatenate([forward.embed([text]) for text in batch])
    np.testing.assert_allclose(forward.embed(batch), alone, atol=1e-5)


def test_whatever_the_texts_only_the_prepared_shapes_are_computed(
    forward: BucketedForward, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[tuple[Bucket, int]] = set()
    run = forward._passes.run

    def recorded(bucket: Bucket, layout: NDArray[np.int32], texts: int) -> NDArray[np.float32]:
        seen.add((bucket, len(layout)))
        return run(bucket, layout, texts)

    monkeypatch.setattr(forward._passes, "run", recorded)
    rng = np.random.default_rng(0)
    for count in (1, 2, 5, 40):
        forward.embed(texts(rng.integers(1, LONGEST + 1, size=count).tolist()))
    assert len(seen) > 1
    assert seen <= {(bucket, bucket.size) for bucket in forward.buckets}


def test_there_are_few_shapes_and_none_leaves_half_of_its_rows_idle_for_want_of_a_smaller_one() -> None:
    shapes = buckets(16_384, 512)
    assert len(shapes) <= 32
    heights = sorted({shape.rows for shape in shapes})
    assert heights[-1] == 16_384
    assert all(high <= 1.5 * low for low, high in itertools.pairwise(heights))
    assert {shape.longest for shape in shapes} == {128, 512}
    assert max(shape.size for shape in shapes) < 18_000


def test_a_pass_always_has_room_for_one_full_text(model: BertModel) -> None:
    forward = BucketedForward(model, device=CPU, rows=1)
    assert forward.token_budget == LONGEST
    assert forward.embed(texts([LONGEST, 1])).shape == (2, 48)


@pytest.mark.parametrize("batch", [[[]], [[1] * (LONGEST + 1)], [[VOCABULARY]], [[-1]], [[1], [2, VOCABULARY]]])
def test_what_would_end_the_use_of_a_gpu_is_refused_before_it(forward: BucketedForward, batch: list[list[int]]) -> None:
    with pytest.raises(InvalidInputError, match="expected"):
        forward.embed(batch)
    assert np.isfinite(forward.embed([[1, 2]])).all()


def test_warming_up_changes_no_embedding(forward: BucketedForward) -> None:
    batch = texts([3, 150])
    before = forward.embed(batch)
    forward.warm_up()
    np.testing.assert_array_equal(forward.embed(batch), before)


def test_without_a_gpu_no_model_takes_this_pass(model: BertModel) -> None:
    assert not can_bucket(model, CPU)


def attend_by_mask(queries: Any, keys: Any, values: Any, starts: Any, longest: int) -> Any:
    """Attention whose steps do not depend on the texts, as a recording needs it."""
    rows = torch.arange(len(queries), dtype=torch.int32)
    owners = torch.searchsorted(starts[1:], rows, right=True)
    scores = torch.einsum("qhd,khd->hqk", queries, keys)
    scores = scores.masked_fill(owners[:, None] != owners[None, :], -1e9)
    return torch.einsum("hqk,khd->qhd", scores.softmax(-1), values)


def test_passes_are_recorded_once_and_replayed_on_other_texts(
    model: BertModel, forward: BucketedForward, fake_cuda: FakeCuda
) -> None:
    forward._attend = attend_by_mask
    forward._passes = GraphPasses(forward._means, forward.buckets[-1], 48, device=CPU, lanes=2)
    forward.warm_up()
    assert fake_cuda.recordings == len(forward.buckets)
    reference = PaddedForward(model, padding=0, device=CPU)
    for lengths in ([5, 9, 2], [7] * 12, [150, 3], [LONGEST] * 5, [1], [4] * 70):
        batch = texts(lengths)
        np.testing.assert_allclose(forward.embed(batch), reference.embed(batch), atol=1e-5)
    assert fake_cuda.recordings == len(forward.buckets)
    assert fake_cuda.replays > len(forward.buckets)


def test_a_recording_that_fails_for_want_of_memory_leaves_smaller_passes_as_they_were(
    model: BertModel, forward: BucketedForward, fake_cuda: FakeCuda
) -> None:
    def means(bucket: Bucket, layout: torch.Tensor) -> torch.Tensor:
        if bucket.rows > 256:
            raise torch.OutOfMemoryError("no room")
        return forward._means(bucket, layout)

    forward._attend = attend_by_mask
    forward._passes = GraphPasses(means, forward.buckets[-1], 48, device=CPU, lanes=1)
    batch = texts([150, 100, 90])
    with pytest.raises(torch.OutOfMemoryError):
        forward.embed(batch)
    reference = PaddedForward(model, padding=0, device=CPU)
    halves = np.concatenate([forward.embed(batch[:2]), forward.embed(batch[2:])])
    np.testing.assert_allclose(halves, reference.embed(batch), atol=1e-5)
