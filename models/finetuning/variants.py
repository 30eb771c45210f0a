"""Faster variants of an encoder: how far they agree with it, and what they gain."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from models.encoder.bert import BertEncoder
from models.encoder.passes.dense import Int8Dense
from models.encoder.passes.packed import PackedForward, can_pack
from models.finetuning.adapting import TOKENS_AT_ONCE, embed_all, pretrained
from models.finetuning.distilling import distil
from models.finetuning.exceptions import FinetuningError
from models.finetuning.loop import shortened
from models.finetuning.saving import save_encoder

NAMES: Final = ("int8", "distilled")
PAIRS: Final = 5
"""Fewer pairs leave the median at the mercy of one disturbance."""
TIMED_BATCHES: Final = 20
"""Enough to time; agreement is taken over all."""
TRAINING_TOKENS: Final = 64


class Forward(Protocol):
    """A forward pass over token ids."""

    def embed(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return float32[n, dimension] of n token lists."""
        ...


def variants(
    folder: Path,
    train: Sequence[str],
    unseen: Sequence[str],
    wanted: Sequence[str],
    *,
    minutes: float,
    seed: int = 0,
    pairs: int = PAIRS,
) -> dict[str, dict[str, float]]:
    """Make variants of an encoder and hold them against it, on the CPU. The distilled one is written to `distilled/`.

    Args:
        folder: of the encoder, a plain BERT.
        train: cleaned texts to distil on.
        unseen: cleaned texts to compare on.
        wanted: of `NAMES`.
        minutes: limit of distillation.
        seed: of distillation.
        pairs: times that each variant and the encoder take turns.

    Returns:
        By name: `cosine_mean` and `cosine_least` to the encoder's embeddings, `speed` as a ratio of texts per second,
        the median over pairs of neighbours.

    Raises:
        FinetuningError: the encoder is no plain BERT.
    """
    model, tokenizer = pretrained(folder)
    model = model.eval().requires_grad_(False)
    if not can_pack(model):
        raise FinetuningError(f"expected a plain BERT in {folder}, found another model: leave out the variants")
    encoder = BertEncoder.load(str(folder), "cpu")
    padding, cpu = int(tokenizer.pad_token_id or 0), torch.device("cpu")
    sides: dict[str, Forward] = {}
    if "int8" in wanted:
        sides["int8"] = PackedForward(model, Int8Dense)
    if "distilled" in wanted:
        short = shortened(encoder.tokenize(train), TRAINING_TOKENS)
        student = distil(
            model, short, embed_all(model, short, padding, cpu), padding=padding, minutes=minutes, seed=seed
        )
        save_encoder(student, folder, folder / "distilled")
        sides["distilled"] = PackedForward(student)
    batches = _batches(encoder.tokenize(unseen))
    original = PackedForward(model)
    return {name: _compare(side, original, batches, pairs) for name, side in sides.items()}


def _batches(tokens: Sequence[list[int]]) -> list[list[list[int]]]:
    ordered = sorted(tokens, key=len)
    size = max(1, TOKENS_AT_ONCE // max(1, int(np.mean([len(one) for one in ordered]))))
    return [ordered[first : first + size] for first in range(0, len(ordered), size)]


def _compare(side: Forward, original: Forward, batches: Sequence[list[list[int]]], pairs: int) -> dict[str, float]:
    # The first pass of each pays for its memory, and is not timed.
    mine, theirs = _embed(side, batches), _embed(original, batches)
    norms = np.linalg.norm(mine, axis=1) * np.linalg.norm(theirs, axis=1)
    cosines = (mine * theirs).sum(1) / np.where(norms > 0, norms, 1.0)
    # Every so many, so that all lengths have their share.
    timed = batches[:: -(-len(batches) // TIMED_BATCHES)]
    ratios = [_seconds(original, timed) / _seconds(side, timed) for _ in range(pairs)]
    return {
        "cosine_mean": float(cosines.mean()),
        "cosine_least": float(cosines.min()),
        "speed": median(ratios),
    }


def _embed(side: Forward, batches: Sequence[list[list[int]]]) -> NDArray[Any]:
    return np.concatenate([side.embed(batch) for batch in batches]).astype(np.float64)


def _seconds(side: Forward, batches: Sequence[list[list[int]]]) -> float:
    began = time.perf_counter()
    for batch in batches:
        side.embed(batch)
    return time.perf_counter() - began
