"""Encoders for tests: a deterministic one that costs nothing, and hostile ones."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class HashEncoder:
    """Embeds a text by its hash: the same text always gives the same vector, float32[384]."""

    name = "hash-encoder"
    dimension = 384
    max_tokens = 256
    weights_digest = hashlib.sha256(b"hash-encoder").hexdigest()
    packed = False
    passes = 1
    token_budget = 1024

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        return [list(text.encode()[: self.max_tokens]) or [0] for text in texts]

    def embed(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        return np.stack([self.vector(tokens) for tokens in batch])

    def vector(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        seed = int.from_bytes(hashlib.sha256(bytes(tokens)).digest()[:8], "little")
        return np.random.default_rng(seed).standard_normal(self.dimension).astype(np.float32)

    def warm_up(self) -> None:
        """There is nothing to warm up."""


class SwitchableEncoder(HashEncoder):
    """Fails on every text while `broken`, and always on texts that hold `poison`."""

    poison = b"POISON"

    def __init__(self) -> None:
        self.broken = False

    def embed(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        if self.broken:
            raise RuntimeError("the encoder is broken")
        if any(self.poison in bytes(tokens) for tokens in batch):
            raise RuntimeError("this text cannot be encoded")
        return super().embed(batch)
