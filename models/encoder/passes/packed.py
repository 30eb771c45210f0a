"""BERT's forward pass on the CPU over texts laid end to end: every row is a token, none is padding.

Only attention and pooling know of texts; all else works on rows. Texts are laid out by length, so that those of
one length are a block of equal shape, and attention runs once per block, without a mask.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.encoder.passes.dense import Dense, dense
from models.encoder.passes.layers import BertLayers, PlainBert, is_plain_bert

if TYPE_CHECKING:
    from torch import Tensor


_ROW_STEP: Final = 32
"""Rows are filled up to a multiple of this. Kernels are made for each height a product has, 2 MB of them a height
that are kept for good; so there are few heights, at 16 idle rows a pass on average."""


class PackedForward:
    """The forward pass of a plain BERT in float32 on the CPU, without padding.

    Keeps the embedding tables and copies of the layers' weights, not the model.

    Args:
        model: one that `can_pack` accepts.
        make_dense: makes a dense layer of float32[out, in] and float32[out].
    """

    packed: Final = True
    passes: Final = 1
    token_budget: Final = 1024
    """Enough to keep a CPU busy; larger passes gain nothing and hold up the next text."""

    def __init__(self, model: Any, make_dense: Callable[[Tensor, Tensor], Dense] = dense) -> None:
        self._layers = BertLayers(model, make_dense)
        self._width, self._heads = self._layers.width, self._layers.heads

    def warm_up(self) -> None:
        """There is nothing to prepare."""

    def embed(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return the mean-pooled embeddings of a batch, in one pass.

        Args:
            batch: n lists of 1..max_position_embeddings token ids, n at least 1, in any order; texts of equal
                length share their attention.

        Returns:
            float32[n, hidden size], not normalised, in the order given.
        """
        import torch

        order = np.argsort([len(tokens) for tokens in batch], kind="stable")
        texts = [batch[index] for index in order]
        blocks = _blocks(np.array([len(tokens) for tokens in texts]))
        ids, positions = _rows(texts)
        with torch.inference_mode():
            x = self._layers.hidden(ids, positions, lambda heads: self._attend(heads, blocks))
            means = [x[block.rows].view(block.texts, block.length, -1).mean(1) for block in blocks]
            embeddings = np.empty((len(batch), self._width), dtype=np.float32)
            embeddings[order] = torch.cat(means).numpy()
        return embeddings

    def _attend(self, heads: Tensor, blocks: Sequence[_Block]) -> Tensor:
        """Let the tokens of each text attend to each other.

        Args:
            heads: float32[rows, 3 x width], the scaled queries, the keys and the values of all heads.
            blocks: where the texts are; rows beyond them come out as zeros.

        Returns:
            float32[rows, width].
        """
        from torch.nn.functional import scaled_dot_product_attention

        attended = heads.new_zeros(len(heads), self._width)
        for block in blocks:
            shape = (block.texts, block.length, self._heads, -1)
            queries, keys, values = heads[block.rows].view(*shape[:2], 3, *shape[2:]).permute(2, 0, 3, 1, 4)
            seen = scaled_dot_product_attention(queries, keys, values, scale=1.0)
            attended[block.rows].view(shape).copy_(seen.transpose(1, 2))
        return attended


def can_pack(model: Any) -> bool:
    """Whether a model is a plain BERT in float32 on the CPU, which `PackedForward` computes."""
    import torch

    if isinstance(model, PlainBert):
        return True
    return is_plain_bert(model) and all(
        weight.dtype == torch.float32 and weight.device.type == "cpu" for weight in model.parameters()
    )


class _Block(NamedTuple):
    """Neighbouring texts of one length."""

    first_row: int
    texts: int
    length: int

    @property
    def rows(self) -> slice:
        return slice(self.first_row, self.first_row + self.texts * self.length)


def _blocks(lengths: NDArray[np.int64]) -> list[_Block]:
    """Find the blocks of texts that lie in order of length."""
    distinct, counts = np.unique(lengths, return_counts=True)
    sizes = distinct * counts
    firsts = np.cumsum(sizes) - sizes
    return [_Block(*map(int, block)) for block in zip(firsts, counts, distinct, strict=True)]


def _rows(texts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Return token ids and positions, int64[rows] each; rows beyond the texts are filled with zeros."""
    import torch

    tokens = sum(map(len, texts))
    ids, positions = np.zeros((2, -(-tokens // _ROW_STEP) * _ROW_STEP), dtype=np.int64)
    ids[:tokens] = np.concatenate(texts)
    positions[:tokens] = np.concatenate([np.arange(len(text)) for text in texts])
    return torch.from_numpy(ids), torch.from_numpy(positions)
