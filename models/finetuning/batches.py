"""Which texts a step reads: every text once per pass, texts of like length together; a function of seed and step."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np

POOL: Final = 16
"""Batches that are drawn together and sorted by length: more save padding, fewer mix better."""


class Batches:
    """The order of the texts.

    Args:
        lengths: tokens of each text.
        size: texts of a batch; the last of a pass may be smaller.
        seed: of the order.
    """

    def __init__(self, lengths: Sequence[int], size: int, seed: int) -> None:
        self._lengths = np.array(lengths)
        self._size = size
        self._seed = seed
        self.per_pass = -(-len(lengths) // size)
        self._pass = lru_cache(maxsize=1)(self._ordered)

    def at(self, step: int) -> list[int]:
        """Return the indices of the texts of a step, which counts from 0."""
        return self._pass(step // self.per_pass)[step % self.per_pass]

    def _ordered(self, number: int) -> list[list[int]]:
        random = np.random.default_rng([self._seed, number])
        order = random.permutation(len(self._lengths))
        batches = []
        for first in range(0, len(order), self._size * POOL):
            pool = order[first : first + self._size * POOL]
            pool = pool[np.argsort(self._lengths[pool], kind="stable")]
            batches += [pool[start : start + self._size].tolist() for start in range(0, len(pool), self._size)]
        return [batches[index] for index in random.permutation(len(batches))]
