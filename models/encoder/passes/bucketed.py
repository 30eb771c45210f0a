"""BERT's forward pass for a GPU: texts laid end to end, in a few shapes that never change.

No text is padded: attention is told where each one starts. Only the whole is filled up, to the next `Bucket`; so all
work for a bucket can be recorded once and replayed (`models.encoder.passes.cuda_graphs`), and no length of a text is
new.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from models.encoder.passes.buckets import ROWS, Attend, Bucket, Passes, buckets, fits, parts
from models.encoder.passes.dense import PlainDense
from models.encoder.passes.layers import BertLayers, is_plain_bert
from models.exceptions import InvalidInputError

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class BucketedForward:
    """The forward pass of a plain BERT in the fixed shapes of `buckets`.

    Args:
        model: one that `models.encoder.passes.layers.is_plain_bert` accepts, in evaluation mode, on `device`.
        device: on `cuda`, passes are recorded as CUDA graphs and attention is FlashAttention; on any other, the same
            layout is computed by plain operators.
        rows: the most tokens of a pass; at least those of one text.
    """

    packed: Final = True
    passes: Final = 2
    """One is laid out and copied to the device while another is computed there."""

    def __init__(self, model: Any, *, device: torch.device, rows: int = ROWS) -> None:
        self._layers = BertLayers(model, PlainDense)
        self._device = device
        self.buckets: Final = buckets(max(rows, self._layers.longest), self._layers.longest)
        self._attend: Attend
        self._passes: Passes
        if device.type == "cuda":
            from models.encoder.passes.cuda_graphs import GraphPasses, flash_attention

            self._attend = flash_attention
            self._passes = GraphPasses(
                self._means, self.buckets[-1], self._layers.width, device=device, lanes=self.passes
            )
        else:
            self._attend = _attend_one_by_one
            self._passes = _PlainPasses(self._means)

    @property
    def token_budget(self) -> int:
        """The most tokens of a pass."""
        return self.buckets[-1].rows

    def embed(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return the mean-pooled embeddings of a batch, in as many passes as it takes; mostly one.

        Args:
            batch: n lists of 1..max_position_embeddings token ids, n at least 1, in any order.

        Returns:
            float32[n, hidden size], pooled in float32, not normalised, in the order given.

        Raises:
            InvalidInputError: a text without tokens or with too many, or a token that the model does not know.
        """
        lengths = np.fromiter(map(len, batch), dtype=np.int64, count=len(batch))
        ids = np.fromiter(chain.from_iterable(batch), dtype=np.int32, count=int(lengths.sum()))
        self._check(lengths, ids)
        ends = np.cumsum(lengths)
        made: list[NDArray[np.float32]] = []
        for texts in parts(lengths, self.buckets[-1]):
            before = int(ends[texts.start] - lengths[texts.start])
            starts = ends[texts] - before
            bucket = next(one for one in self.buckets if fits(one, lengths[texts]))
            layout = np.zeros(bucket.size, dtype=np.int32)
            layout[1 : bucket.texts + 1] = starts[-1]
            layout[1 : len(starts) + 1] = starts
            layout[bucket.texts + 1 : bucket.texts + 1 + starts[-1]] = ids[before : before + starts[-1]]
            made.append(self._passes.run(bucket, layout, len(starts)))
        return np.concatenate(made)

    def warm_up(self) -> None:
        """Prepare every shape, the largest first: the others then fit into its memory."""
        self._passes.warm_up(self.buckets[::-1])

    def _check(self, lengths: NDArray[np.int64], ids: NDArray[np.int32]) -> None:
        # On a GPU, an index beyond a table ends the process's use of the device.
        if not (lengths.min() >= 1 and lengths.max() <= self._layers.longest):
            raise InvalidInputError(
                f"expected texts of 1 to {self._layers.longest} tokens, found {lengths.min()} to {lengths.max()}: "
                "truncate them"
            )
        if not (ids.min() >= 0 and ids.max() < self._layers.vocabulary):
            raise InvalidInputError(
                f"expected token ids of 0 to {self._layers.vocabulary - 1}, found {ids.min()} to {ids.max()}: "
                "use the tokenizer of this model"
            )

    def _means(self, bucket: Bucket, layout: Tensor) -> Tensor:
        """Compute float32[bucket.texts, width] of a layout int32[bucket.size] on the device; no step depends on it."""
        import torch

        starts, ids = layout[: bucket.texts + 1], layout[bucket.texts + 1 :]
        rows = torch.arange(bucket.rows, dtype=torch.int32, device=layout.device)
        # Rows of no text belong to an owner of their own, behind the others, and its sum is not read.
        owners = torch.searchsorted(starts[1:], rows, right=True)
        positions = (rows - starts[owners]).clamp_(max=self._layers.longest - 1)

        def attend(heads: Tensor) -> Tensor:
            queries, keys, values = heads.view(bucket.rows, 3, self._layers.heads, -1).unbind(1)
            return self._attend(queries, keys, values, starts, bucket.longest).reshape(bucket.rows, -1)

        hidden = self._layers.hidden(ids, positions, attend).float()
        sums = hidden.new_zeros(bucket.texts + 1, self._layers.width).index_add_(0, owners, hidden)
        return sums[:-1] / starts.diff().clamp_(min=1).unsqueeze(1)


class _PlainPasses:
    """Computes a pass where it is called, step by step."""

    def __init__(self, means: Callable[[Bucket, Tensor], Tensor]) -> None:
        self._means = means

    def run(self, bucket: Bucket, layout: NDArray[np.int32], texts: int) -> NDArray[np.float32]:
        import torch

        with torch.inference_mode():
            means: NDArray[np.float32] = self._means(bucket, torch.from_numpy(layout))[:texts].numpy()
        return means

    def warm_up(self, buckets: Sequence[Bucket]) -> None:
        for bucket in buckets:
            self.run(bucket, np.zeros(bucket.size, dtype=np.int32), 0)


def can_bucket(model: Any, device: torch.device) -> bool:
    """Whether `BucketedForward` computes a model of transformers: a plain BERT in half precision on a GPU.

    The GPU has to be new enough for FlashAttention (compute capability 8.0).
    """
    import torch

    if device.type != "cuda" or not is_plain_bert(model):
        return False
    head = model.config.hidden_size // model.config.num_attention_heads
    return (
        head % 8 == 0
        and head <= 256
        and find_spec("torch.nn.attention.varlen") is not None
        and torch.cuda.get_device_capability(device) >= (8, 0)
        and all(weight.dtype in (torch.bfloat16, torch.float16) for weight in model.parameters())
    )


def _attend_one_by_one(queries: Tensor, keys: Tensor, values: Tensor, starts: Tensor, longest: int) -> Tensor:
    from torch.nn.functional import scaled_dot_product_attention

    # Rows of no text keep stale memory, as FlashAttention leaves them.
    attended = queries.new_full(queries.shape, float("nan"))
    for first, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        query, key, value = (part[first:end].transpose(0, 1) for part in (queries, keys, values))
        attended[first:end] = scaled_dot_product_attention(query, key, value, scale=1.0).transpose(0, 1)
    return attended
