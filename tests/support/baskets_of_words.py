"""Purchases of shoppers of two kinds, whose titles the frozen small BERT cannot tell apart."""

from __future__ import annotations

import numpy as np

from models.finetuning.titles.purchases import Line
from support.small_bert import WORDS

HOUR_MS = 3_600_000


def purchases_of(shoppers: int, titles: int = 24, seed: int = 0) -> list[Line]:
    """Return four baskets of three lines of each shopper; a kind of shoppers buys one half of the titles."""
    random = np.random.default_rng(seed)
    # Two words a title; which half a title is in shows in neither its place nor its length.
    names = [f"{WORDS[2 * index]} {WORDS[2 * index + 1]}" for index in random.permutation(len(WORDS) // 2)[:titles]]
    lines = []
    for shopper in range(shoppers):
        own = names[shopper % 2 :: 2]
        for basket in range(4):
            for index in random.choice(len(own), 3, replace=False):
                time = 1_700_000_000_000 + basket * HOUR_MS
                lines.append(Line(f"u{shopper}", f"o{basket}", own[int(index)], time))
    return lines
