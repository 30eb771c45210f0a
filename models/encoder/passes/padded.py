"""A transformer's forward pass over texts padded to one length, mean-pooled: any architecture, any device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch


class PaddedForward:
    """The forward pass of transformers, padded to the longest text of a batch.

    Args:
        model: any of transformers' BERT-like models, in evaluation mode, on `device`.
        padding: the id that fills a row up.
        device: where the model is.
    """

    packed: Final = False
    passes: Final = 1
    token_budget: Final = 1024
    """Enough to keep a CPU busy, and few enough to bound the memory of a model of any kind."""

    def __init__(self, model: Any, *, padding: int, device: torch.device) -> None:
        self._model = model
        self._padding = padding
        self._device = device

    def warm_up(self) -> None:
        """There is nothing to prepare."""

    def embed(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return the mean-pooled embeddings of a batch, in one pass.

        Args:
            batch: n lists of at least one token id, n at least 1; texts of like length waste the least padding.

        Returns:
            float32[n, hidden size], pooled in float32 over the real tokens, not normalised.
        """
        import torch

        lengths = np.array([len(tokens) for tokens in batch])
        ids = np.full((len(batch), lengths.max()), self._padding, dtype=np.int64)
        # By length, not by token id: a text may spell the padding token.
        real = np.arange(ids.shape[1]) < lengths[:, None]
        ids[real] = np.concatenate([np.asarray(tokens, dtype=np.int64) for tokens in batch])
        with torch.inference_mode():
            mask = torch.from_numpy(real).to(self._device)
            hidden = self._model(
                input_ids=torch.from_numpy(ids).to(self._device),
                attention_mask=None if real.all() else mask.long(),
            ).last_hidden_state
            weights = mask.unsqueeze(-1).float()
            pooled: NDArray[np.float32] = ((hidden.float() * weights).sum(1) / weights.sum(1)).cpu().numpy()
        return pooled
