"""The ways to compute an encoder on the CPU that the encoder benchmark compares: each from tokens to embeddings."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.batching.batch_forming import form_batch
from models.encoder.locate import DEFAULT_ENCODER, locate
from models.encoder.passes.packed import PackedForward, _Block
from models.encoder.passes.padded import PaddedForward

Tokens = Sequence[Sequence[int]]
Embed = Callable[[Tokens], NDArray[np.float32]]

TOKEN_BUDGET: Final = 1024


def load_model() -> Any:
    """Load the default encoder as transformers does."""
    from transformers import AutoModel

    model = AutoModel.from_pretrained(locate(DEFAULT_ENCODER), local_files_only=True, attn_implementation="sdpa")
    return model.eval().requires_grad_(False)


def in_batches(embed: Embed, *, packed: bool, token_budget: int = TOKEN_BUDGET) -> Embed:
    """Return a function that embeds any number of texts in the batches that the micro-batcher would form."""

    def embed_all(tokens: Tokens) -> NDArray[np.float32]:
        waiting = list(range(len(tokens)))
        embeddings: list[tuple[int, NDArray[np.float32]]] = []
        while waiting:
            window = waiting[:256]
            chosen = form_batch([len(tokens[index]) for index in window], token_budget, packed=packed)
            batch = [window[place] for place in chosen]
            embeddings += zip(batch, embed([tokens[index] for index in batch]), strict=True)
            taken = set(batch)
            waiting = [index for index in waiting if index not in taken]
        return np.stack([vector for _, vector in sorted(embeddings, key=lambda pair: pair[0])])

    return embed_all


def padded(model: Any) -> PaddedForward:
    """Run transformers' own forward pass."""
    return PaddedForward(model, padding=0, device=torch.device("cpu"))


class WrittenOut(PackedForward):
    """The packed forward pass with attention as two products and a softmax."""

    def _attend(self, heads: Tensor, blocks: Sequence[_Block]) -> Tensor:
        attended = heads.new_zeros(len(heads), self._width)
        for block in blocks:
            shape = (block.texts, block.length, self._heads, -1)
            queries, keys, values = heads[block.rows].view(*shape[:2], 3, *shape[2:]).permute(2, 0, 3, 1, 4)
            seen = (queries @ keys.transpose(-1, -2)).softmax(-1) @ values
            attended[block.rows].view(shape).copy_(seen.transpose(1, 2))
        return attended


def compiled(model: Any) -> PaddedForward:
    """Compile transformers' forward pass once for all shapes, its weights frozen."""
    import torch._inductor.config as inductor

    inductor.freezing = True
    return padded(torch.compile(model, dynamic=True))


def has_onnx() -> bool:
    """Whether the packages are here that `onnx_runtime` takes; the project does not depend on them."""
    return all(importlib.util.find_spec(name) is not None for name in ("onnx", "onnxruntime", "onnxscript"))


def onnx_runtime(model: Any, number: int) -> Embed:
    """Export the model and run it, padded, on ONNX Runtime with all its optimisations, on so many threads."""
    import onnxruntime

    class LastHidden(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
            hidden: Tensor = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
            return hidden

    ids = torch.arange(34).view(2, 17)
    mask = (ids < 25).long()
    shape = {0: "texts", 1: "tokens"}
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = number
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "encoder.onnx"
        torch.onnx.export(
            # Else the export leaves the model in training mode, where it drops out at random.
            LastHidden().eval(),
            (ids, mask),
            path,
            dynamo=False,
            opset_version=17,
            input_names=["ids", "mask"],
            output_names=["hidden"],
            dynamic_axes={"ids": shape, "mask": shape, "hidden": shape},
        )
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def embed(batch: Tokens) -> NDArray[np.float32]:
        lengths = np.array([len(tokens) for tokens in batch])
        real = np.arange(lengths.max()) < lengths[:, None]
        rows = np.zeros(real.shape, dtype=np.int64)
        rows[real] = np.concatenate(batch)
        (hidden,) = session.run(None, {"ids": rows, "mask": real.astype(np.int64)})
        weights = real[..., None].astype(np.float32)
        pooled: NDArray[np.float32] = (hidden * weights).sum(1) / weights.sum(1)
        return pooled

    return embed
